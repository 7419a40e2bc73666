"""One box on one picture, as an annotation file marks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from promptreid.data.images.boxes import BOX_COLUMN
from promptreid.data.manifest.sample_columns import CORE_COLUMNS

NAMED = ("camera", "view", "domain")
"""Attributes that are columns of their own where a tool lets people add them."""


@dataclass(frozen=True, slots=True)
class MarkedBox:
    """One box on one picture.

    Attributes:
        picture: POSIX path of the picture, relative to the folder that all start from.
        edges: Left, top, right and bottom edge in pixels of the upright picture, from 0.
        identity: Who or what is shown; empty where the file does not say.
        place: Where the file says so, for messages ("gt.txt, line 7").
        label: The class of what is shown ("person"); empty where the file names none.
        sequence: The video that the picture is of; empty for stills.
        frame: Number of the picture in its video; None for stills.
        visibility: Fraction of the box that nothing hides; None where it is not known.
        size: Width and height of the picture in pixels; None where the file does not say.
        split: Role of the image; empty where roles are drawn.
        camera: Name of the camera; empty where it is not known.
        view: Name of the viewpoint, likewise.
        domain: Where the image comes from; empty for the data set's name.
        attributes: Further columns.
    """

    picture: str
    edges: tuple[float, float, float, float]
    identity: str
    place: str
    label: str = ""
    sequence: str = ""
    frame: int | None = None
    visibility: float | None = None
    size: tuple[int, int] | None = None
    split: str = ""
    camera: str = ""
    view: str = ""
    domain: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def height(self) -> float:
        """Height of the box in pixels."""
        return self.edges[3] - self.edges[1]


def widen(edges: tuple[float, float, float, float], margin: float) -> tuple[float, ...]:
    """Move each edge outwards.

    Args:
        edges: Left, top, right and bottom.
        margin: By which fraction of the width, or of the height, each edge moves.
    """
    left, top, right, bottom = edges
    across, down = margin * (right - left), margin * (bottom - top)
    return left - across, top - down, right + across, bottom + down


def sort_attributes(attributes: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Tell the attributes that are names of camera, view or domain from the free ones.

    Args:
        attributes: All that were marked, but for what says who is shown.

    Returns:
        Those called as one of `NAMED`; and all others, under another name where theirs is that of a
        column that every data set has.
    """
    names = {key.lower(): value for key, value in attributes.items() if key.lower() in NAMED}
    taken = (*CORE_COLUMNS, BOX_COLUMN)
    others = {
        (f"marked {key}" if key in taken else key.strip()): value
        for key, value in attributes.items()
        if key.lower() not in NAMED and key.strip()
    }
    return names, others


def plain_path(name: str) -> str:
    """Write the name of a picture as a manifest holds it: with slashes, without empty parts."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    return ("/" if name.startswith("/") else "") + "/".join(parts)
