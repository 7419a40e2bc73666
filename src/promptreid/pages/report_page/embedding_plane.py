"""Maps of embeddings as points of an SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promptreid.figures.layouts.layouts import Points
from promptreid.figures.style import LIGHT, group_look
from promptreid.pages.content import EmbeddingMap, MapPoint, MapSection
from promptreid.pages.report_page.album import Album
from promptreid.text.lists import listed

SIDE = 480
_MARGIN = 16
_ORDER = ("gallery", "query", "text")  # the few lie on top


@dataclass(frozen=True)
class Placed:
    """A point where it lies.

    Attributes:
        x: Distance from the left, in units of the drawing.
        y: Distance from the top.
        kind: "query", "gallery" or "text".
        group: Number of the identity, -1 for none.
        hue: Number of its colour, -1 for ink.
        shape: Name of its shape.
        label: What is said of it.
        picture: Name of its picture, "" without one.
        number: Number of the image, the same in all maps; -1 for a text.
    """

    x: str
    y: str
    kind: str
    group: int
    hue: int
    shape: str
    label: str
    picture: str
    number: int


@dataclass(frozen=True)
class Plane:
    """The map of one run.

    Attributes:
        name: Name of the run.
        method: Method that laid it out.
        ratio: Distance within over that between identities, written out.
        alt: What it shows, in words.
        points: The points, in the order in which they are drawn.
    """

    name: str
    method: str
    ratio: str
    alt: str
    points: tuple[Placed, ...]


@dataclass(frozen=True)
class Key:
    """An identity in the legend."""

    name: str
    group: int
    hue: int
    shape: str


def planes(section: MapSection, album: Album) -> tuple[Plane, ...]:
    """Lay out the maps of a section, and store their pictures."""
    names = [album.add(picture).name for picture in section.pictures]
    return tuple(_plane(laid_out, section, names) for laid_out in section.maps)


def keys(section: MapSection) -> tuple[Key, ...]:
    """Return the legend."""
    return tuple(
        Key(name, number, *_look(number)) for number, name in enumerate(section.identities)
    )


def _plane(laid_out: EmbeddingMap, section: MapSection, names: Sequence[str]) -> Plane:
    places = _fit(np.concatenate([laid_out.points, laid_out.texts]))
    numbered = [*enumerate(section.points), *((-1, text) for text in laid_out.text_points)]
    placed = [
        _placed(point, place, names, number)
        for (number, point), place in zip(numbered, places, strict=True)
    ]
    return Plane(
        name=laid_out.name,
        method=laid_out.method,
        ratio=f"{laid_out.ratio:.2f}",
        alt=_alt(laid_out, section),
        points=tuple(sorted(placed, key=lambda point: _ORDER.index(point.kind))),
    )


def _fit(points: Points) -> Points:
    """Fit points into the drawing, to one scale both ways, with the second axis upwards."""
    low, high = points.min(axis=0), points.max(axis=0)
    widest = float((high - low).max()) or 1.0
    scaled = (points - (low + high) / 2) * ((SIDE - 2 * _MARGIN) / widest)
    return scaled * np.array([1, -1]) + SIDE / 2


def _placed(point: MapPoint, place: Points, names: Sequence[str], number: int) -> Placed:
    hue, shape = _look(point.group)
    return Placed(
        x=f"{place[0]:.1f}",
        y=f"{place[1]:.1f}",
        kind=point.kind,
        group=point.group,
        hue=hue,
        shape="text" if point.kind == "text" else shape,
        label=point.label,
        picture=names[point.picture] if point.picture >= 0 else "",
        number=number,
    )


def _look(group: int) -> tuple[int, str]:
    """Return number of the hue and name of the shape of an identity, as in figures."""
    if group < 0:
        return -1, "circle"
    hue, marker = group_look(LIGHT, group)
    return LIGHT.hues.index(hue), _SHAPES[marker]


_SHAPES = {"o": "circle", "s": "square", "^": "up", "D": "diamond", "v": "down"}


def _alt(laid_out: EmbeddingMap, section: MapSection) -> str:
    kinds = [point.kind for point in section.points]
    images = [f"{kinds.count(kind)} {kind}" for kind in ("query", "gallery") if kind in kinds]
    texts = f" and {len(laid_out.text_points)} sentences" if laid_out.text_points else ""
    return (
        f"{laid_out.method} of {listed(images)} images of {len(section.identities)} "
        f"identities{texts} under {laid_out.name}. Mean distance within identities over that "
        f"between identities, in the embedding: {laid_out.ratio:.2f}."
    )
