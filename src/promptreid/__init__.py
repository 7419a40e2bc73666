"""Re-identification with CLIP: train, evaluate, explain and serve.

    >>> import promptreid
    >>> data = promptreid.load_data("folder:photos")            # one folder of pictures a person
    >>> run = promptreid.train("clip-reid/tiny", data, out="runs/mine")
    >>> run.scores["mAP"]
    >>> model = run.model()
    >>> model.index("photos").search("who.jpg").show()          # who is this?

What the command line does has a function of the same name here, with the same words. Names are
imported when they are asked for, so that `import promptreid` alone does not load PyTorch.
"""

from __future__ import annotations

import importlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from promptreid.version import __version__

if TYPE_CHECKING:
    from promptreid.actions.gallery_models import open_gallery
    from promptreid.actions.loaded_model import Model, load
    from promptreid.actions.searches.picture_index import search
    from promptreid.errors import PromptReIDError
    from promptreid.gallery.gallery import Gallery
    from promptreid.progress import Silent

_PLACES = MappingProxyType(
    {
        "Gallery": "gallery.gallery",
        "Model": "actions.loaded_model",
        "PromptReIDError": "errors",
        "Silent": "progress",
        "load": "actions.loaded_model",
        "open_gallery": "actions.gallery_models",
        "search": "actions.searches.picture_index",
    }
)
"""Each public name and the module that it comes from."""

__all__ = [
    "Gallery",
    "Model",
    "PromptReIDError",
    "Silent",
    "__version__",
    "load",
    "open_gallery",
    "search",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module 'promptreid' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"promptreid.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
