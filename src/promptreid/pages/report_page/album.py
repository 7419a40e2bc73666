"""Pictures of a page, each stored once however often it is shown."""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass

from PIL import Image

from promptreid.figures.photographs import Picture

_QUALITY = 80


@dataclass(frozen=True)
class Shown:
    """A stored picture.

    Attributes:
        name: Name by which the page refers to it.
        width: Width in pixels.
        height: Height in pixels.
        address: The picture itself, as a data URI.
    """

    name: str
    width: int
    height: int
    address: str


class Album:
    """Collects the pictures of a page."""

    def __init__(self) -> None:
        self._shown: dict[str, Shown] = {}

    def add(self, picture: Picture) -> Shown:
        """Store a picture, (H, W, 3), if it is not there yet."""
        height, width = picture.shape[:2]
        content = hashlib.sha256(f"{height} {width} ".encode() + picture.tobytes()).hexdigest()
        if content not in self._shown:
            name = f"p{len(self._shown)}"
            self._shown[content] = Shown(name, width, height, _address(picture))
        return self._shown[content]

    @property
    def pictures(self) -> tuple[Shown, ...]:
        """All pictures, in the order in which they came."""
        return tuple(self._shown.values())


def _address(picture: Picture) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "WEBP", quality=_QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
