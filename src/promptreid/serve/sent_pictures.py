"""Pictures that clients send: read, measured before they are decoded, and decoded."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from promptreid.data.images.decode import decode_picture
from promptreid.data.images.image_files import UnreadableImage, why_undecodable
from promptreid.errors import DataError
from promptreid.serve.service_settings import ServiceSettings
from promptreid.text.safe import visible
from promptreid.text.short import shortened

TAKEN = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "AVIF")
"""Formats that are decoded for clients: what cameras and browsers write, and no more."""

_LONGEST_NAME = 80


class TooLargeError(DataError):
    """A picture, or all of a request together, is larger than the service takes."""


@dataclass(frozen=True)
class SentFile:
    """A file of a request.

    Attributes:
        name: What the client calls it, for people; nothing is opened by it.
        content: Its bytes.
    """

    name: str
    content: bytes

    @classmethod
    def named(cls, name: str | None, content: bytes) -> SentFile:
        """Take a file as a client sent it."""
        last = (name or "").replace("\\", "/").rpartition("/")[2]
        return cls(shortened(visible(last) or "picture", _LONGEST_NAME), content)


@dataclass(frozen=True, eq=False)
class SentPicture:
    """A picture of a request.

    Attributes:
        name: As in `SentFile`.
        pixels: (H, W, 3) uint8.
        content: The file that it was decoded from.
    """

    name: str
    pixels: NDArray[np.uint8]
    content: bytes


class PixelBudget:
    """Lets so many pixels be decoded at a time, whoever asks for them."""

    def __init__(self, pixels: int) -> None:
        """Take how many pixels there may be."""
        self._free = self._all = pixels
        self._changed = threading.Condition()
        self._turn = threading.Lock()  # of who waits, so that small requests never pass large ones

    @contextlib.contextmanager
    def holding(self, pixels: int) -> Generator[None]:
        """Wait until so many pixels are free, and hold them.

        Raises:
            TooLargeError: There are not so many at all.
        """
        if pixels > self._all:
            raise TooLargeError(
                f"The pictures of this request have {pixels:,} pixels together; the service takes "
                f"{self._all:,} at a time. Send them in several requests, or smaller."
            )
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._free >= pixels)
            self._free -= pixels
        try:
            yield
        finally:
            with self._changed:
                self._free += pixels
                self._changed.notify_all()


@contextlib.contextmanager
def decoding(
    files: Sequence[SentFile], budget: PixelBudget, settings: ServiceSettings
) -> Generator[list[SentPicture]]:
    """Give the pictures of a request, whose pixels are held of the budget as long as it lasts.

    Raises:
        TooLargeError: A picture has too many pixels, by its header, before any is decoded.
        DataError: A file is no picture.
    """
    pixels = sum(_count_pixels(file, settings.picture_pixels) for file in files)
    with budget.holding(pixels):
        yield [SentPicture(file.name, _decode(file), file.content) for file in files]


def _count_pixels(file: SentFile, most: int) -> int:
    if not file.content:
        raise DataError(f"The picture {file.name} is empty.")
    try:
        with Image.open(io.BytesIO(file.content), formats=TAKEN) as image:
            width, height = image.size
    except Exception as error:  # broken bytes can make a decoder raise anything
        raise _refusal(file, why_undecodable(error, file.content)) from error
    if width * height > most:
        raise TooLargeError(
            f"The picture {file.name} has {width:,} x {height:,} pixels; the service takes "
            f"{most:,}. Send a smaller one."
        )
    return width * height


def _decode(file: SentFile) -> NDArray[np.uint8]:
    try:
        return decode_picture(file.content, Path(file.name)).permute(1, 2, 0).numpy()
    except UnreadableImage as error:
        raise _refusal(file, error.reason) from error


def _refusal(file: SentFile, reason: str) -> DataError:
    return DataError(f"The picture {file.name} cannot be read: {reason}. Send JPEG, PNG or WebP.")
