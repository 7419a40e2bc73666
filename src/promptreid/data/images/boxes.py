"""Images that are a part of a picture: where one lies, and how it is cut out.

Boxes are in pixels of the picture as it is seen, after its orientation tag was applied; that is
what people and detectors mark, and how wildlife-datasets and OpenCV read pictures.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from promptreid.data.images.image_files import image_bytes

BOX_COLUMN = "box_xywh"
"""Column of a saved manifest that holds boxes."""

_LARGEST = 10_000_000  # pixels along a side; no picture is larger


class Box(NamedTuple):
    """A rectangle of pixels.

    Attributes:
        left: First column of pixels; negative where the box reaches beyond the picture.
        top: First row of pixels, likewise.
        width: Width in pixels, at least 1.
        height: Height in pixels, at least 1.
    """

    left: int
    top: int
    width: int
    height: int

    @classmethod
    def of_edges(cls, left: float, top: float, right: float, bottom: float) -> Box:
        """Build a box from its edges, each rounded to a whole pixel as Pillow's `crop` does.

        Args:
            left: Edge before the first column of pixels.
            top: Edge before the first row of pixels.
            right: Edge behind the last column.
            bottom: Edge behind the last row.

        Raises:
            ValueError: When it holds no pixel or is none of a picture; the words fit behind a value
                ("is empty").
        """
        edges = (left, top, right, bottom)
        if not all(math.isfinite(edge) and abs(edge) <= _LARGEST for edge in edges):
            raise ValueError(f"has an edge that is not between -{_LARGEST:,} and {_LARGEST:,}")
        left, top, right, bottom = (round(edge) for edge in edges)
        if right <= left or bottom <= top:
            raise ValueError("is empty: its right and lower edges must lie beyond the others")
        if right <= 0 or bottom <= 0:
            raise ValueError("lies outside of its picture")
        return cls(left, top, right - left, bottom - top)

    def within(self, width: int, height: int) -> Box | None:
        """Return the part of the box that lies in a picture of this size in pixels, if any."""
        left, top = max(self.left, 0), max(self.top, 0)
        right = min(self.left + self.width, width)
        bottom = min(self.top + self.height, height)
        return Box(left, top, right - left, bottom - top) if left < right and top < bottom else None

    def __str__(self) -> str:
        return f"[{self.left}, {self.top}, {self.width}, {self.height}]"


@dataclass(frozen=True, slots=True)
class ImageSource:
    """Where the pixels of one image are.

    Attributes:
        path: The file.
        box: The part of it that is the image; None for all of it.
        content: Bytes of the file where they were read already; they are decoded, whatever becomes
            of the file meanwhile.
    """

    path: Path
    box: Box | None = None
    content: bytes | None = field(default=None, repr=False, compare=False)

    def read(self) -> bytes:
        """Return the bytes of the file.

        Raises:
            UnreadableImage: As `image_bytes` says.
        """
        return image_bytes(self.path) if self.content is None else self.content

    def __str__(self) -> str:
        return str(self.path) if self.box is None else f"{self.path}, box {self.box}"


def box_outside(box: Box, width: int, height: int) -> str:
    """Say that no part of a box lies in a picture of this size in pixels."""
    return f"its box {box} lies outside of the picture, which is {width} x {height} pixels"


def parse_box(text: str) -> Box | None:
    """Read what `str(box)` wrote; None for an empty text.

    Raises:
        ValueError: When it is no such text.
    """
    if not text:
        return None
    left, top, width, height = json.loads(text)
    return Box.of_edges(left, top, left + width, top + height)
