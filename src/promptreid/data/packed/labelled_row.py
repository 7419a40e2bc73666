"""What a packed file says of one picture, as a row of a manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptreid.data.manifest.manifest import Sample
from promptreid.data.manifest.unknown_values import UnknownWords

_NAMES = ("identity", "camera", "view", "domain")
_SPLIT = "gallery"
_WORDS = UnknownWords()


def label_row(path: str, values: Mapping[str, Any]) -> Sample:
    """Make a row of what is known of a picture.

    Args:
        path: Its name.
        values: Texts and numbers by column; what is neither is left out. A picture of unknown
            identity is an identity of its own, and one without a split is of the gallery.

    Returns:
        The row.
    """
    texts = {
        name: str(value).strip()
        for name, value in values.items()
        if isinstance(value, str | int | float)
    }
    known = {name: text for name, text in texts.items() if not _WORDS.means_unknown(text, name)}
    return Sample(
        path=path,
        identity=known.get("identity", path.strip()),
        split=known.get("split", _SPLIT),
        camera=known.get("camera"),
        view=known.get("view"),
        domain=known.get("domain", ""),
        attributes={
            name: text
            for name, text in known.items()
            if name not in (*_NAMES, "split", "path", "box_xywh")
        },
    )
