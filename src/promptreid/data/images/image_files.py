"""The bytes of an image file, or in words why there are none to decode."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from promptreid.data.images.image_formats import FORMATS, RAW, why_not_by_content
from promptreid.data.images.regular_files import read_regular
from promptreid.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

LARGEST_FILE = 1 << 29
"""Bytes of an image file: more than the largest picture that is decoded, stored uncompressed."""


class UnreadableImage(DataError):  # noqa: N818 - it names a thing, of which callers make lists
    """An image file is missing, empty, truncated or no image at all.

    Attributes:
        path: The file.
        reason: What is wrong with it, in words.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"The image {self.path} cannot be read: {self.reason}. Mend it or leave it out; "
            "commands that read whole data sets do so with --unreadable skip."
        )


def image_bytes(path: Path) -> bytes:
    """Read an image file, whose content is not looked at.

    Raises:
        UnreadableImage: It is missing, empty, larger than `LARGEST_FILE`, a raw camera file, or no
            ordinary file but a pipe, a device or a folder, which are never opened.
    """
    if path.suffix.lower() in RAW:  # read as the TIFF that it is built on, it gives a small preview
        reason = "it is a raw camera file, which is not decoded here; convert it to JPEG"
        raise UnreadableImage(path, reason)
    try:
        data = read_regular(path, limit=LARGEST_FILE)
    except DataError as error:
        raise UnreadableImage(path, str(error)) from error
    if not data:
        raise UnreadableImage(path, "the file is empty")
    return data


def open_image(data: bytes) -> Image.Image:
    """Open the content of an image file with Pillow, which decodes it later.

    Raises:
        Exception: Whatever Pillow raises; `why_undecodable` puts it into words.
    """
    from PIL import Image

    return Image.open(io.BytesIO(data), formats=FORMATS)


def why_undecodable(error: Exception, data: bytes) -> str:
    """Say in words why opening or decoding the content of a file raised an error."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return why_not_by_content(data)
    if isinstance(error, Image.DecompressionBombError):
        return "it has too many pixels (" + str(error).split(", could")[0] + ")"
    return str(error).rstrip(".") or type(error).__name__
