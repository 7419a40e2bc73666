"""Find every photo of the same person, vehicle, hand or animal: re-identification with CLIP.

    >>> import promptreid
    >>> data = promptreid.load_data("folder:photos")     # one folder of pictures for each person
    >>> run = promptreid.train("clip-reid/tiny", data, out="runs/mine")
    >>> run.scores["mAP"]
    >>> model = run.model()
    >>> model.index("photos").search("who.jpg").show()   # who is this?

What the command line does has a function of the same name here, with the same words:

    quickstart  from a folder of pictures to a model, its threshold and a search page
    load_data   read a data set; it has inspect(), show() and export()
    list_data   list the kinds of data sets that can be read
    synth_data  render a synthetic data set
    data_cache  show or erase what is kept on disk to be faster
    recipes     list the recipes, and when to take each; it has show() and copy()
    train       train a recipe into a run folder; gives a Run
    estimate    say how long a training will take
    sweep       train all runs of a file of settings
    Run         an earlier run: scores, history, note, figure(), compare(), report(), model()
    evaluate    score runs, checkpoints or models on data
    compare     set runs side by side
    report      write all about runs into one HTML page
    figure      draw curves, rank lists, maps and more
    threshold   choose from which score on two images show one identity
    load        load a Model: embed(), same(), index(), save(), export()
    embed       write vectors of many images into files
    search      say who of a folder or gallery a picture shows, or nobody
    import_config  say a configuration of other code as a recipe
    create_gallery  make a gallery of people; open_gallery opens one again
    enrol       put people into a gallery
    Gallery     look after who is enrolled

Mistakes that you can mend are a PromptReIDError, a sentence with what to do. Progress goes to
standard error; progress=promptreid.Silent() says nothing. Names are imported when they are asked
for, so that `import promptreid` alone does not load PyTorch.
"""

from __future__ import annotations

import importlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from promptreid.version import __version__

if TYPE_CHECKING:
    from promptreid.actions.choose_run_threshold import threshold
    from promptreid.actions.compare_scores import compare
    from promptreid.actions.datasets.data_listing import list_data
    from promptreid.actions.datasets.disk_cache import data_cache
    from promptreid.actions.datasets.loaded_data import load_data
    from promptreid.actions.datasets.render_data import synth_data
    from promptreid.actions.draw_figure import figure
    from promptreid.actions.embed_data import embed
    from promptreid.actions.enrol_data import enrol
    from promptreid.actions.evaluate_models import evaluate
    from promptreid.actions.first_steps.quickstart_folder import quickstart
    from promptreid.actions.gallery_models import create_gallery, open_gallery
    from promptreid.actions.import_old_config import import_config
    from promptreid.actions.model import Model, load
    from promptreid.actions.recipe_listing import recipes
    from promptreid.actions.run import Run
    from promptreid.actions.searches.picture_index import search
    from promptreid.actions.train_recipe import estimate, train
    from promptreid.actions.train_sweep import sweep
    from promptreid.actions.write_report import report
    from promptreid.errors import PromptReIDError
    from promptreid.gallery.gallery import Gallery
    from promptreid.progress import Silent

_PLACES = MappingProxyType(
    {
        "Gallery": "gallery.gallery",
        "Model": "actions.model",
        "PromptReIDError": "errors",
        "Run": "actions.run",
        "Silent": "progress",
        "compare": "actions.compare_scores",
        "create_gallery": "actions.gallery_models",
        "data_cache": "actions.datasets.disk_cache",
        "embed": "actions.embed_data",
        "enrol": "actions.enrol_data",
        "estimate": "actions.train_recipe",
        "evaluate": "actions.evaluate_models",
        "figure": "actions.draw_figure",
        "import_config": "actions.import_old_config",
        "list_data": "actions.datasets.data_listing",
        "load": "actions.model",
        "load_data": "actions.datasets.loaded_data",
        "open_gallery": "actions.gallery_models",
        "quickstart": "actions.first_steps.quickstart_folder",
        "recipes": "actions.recipe_listing",
        "report": "actions.write_report",
        "search": "actions.searches.picture_index",
        "sweep": "actions.train_sweep",
        "synth_data": "actions.datasets.render_data",
        "threshold": "actions.choose_run_threshold",
        "train": "actions.train_recipe",
    }
)
"""Each public name and the module that it comes from."""

__all__ = [
    "Gallery",
    "Model",
    "PromptReIDError",
    "Run",
    "Silent",
    "__version__",
    "compare",
    "create_gallery",
    "data_cache",
    "embed",
    "enrol",
    "estimate",
    "evaluate",
    "figure",
    "import_config",
    "list_data",
    "load",
    "load_data",
    "open_gallery",
    "quickstart",
    "recipes",
    "report",
    "search",
    "sweep",
    "synth_data",
    "threshold",
    "train",
]


if not TYPE_CHECKING:  # a checker shall see the names above and no others

    def __getattr__(name: str) -> Any:
        """Import a public name when it is asked for."""
        if name not in _PLACES:
            raise AttributeError(f"module 'promptreid' has no attribute {name!r}")
        value = getattr(importlib.import_module(f"promptreid.{_PLACES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
