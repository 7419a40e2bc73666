"""Images written as files: copied byte for byte, or cut out and encoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from torch import Tensor

from promptreid.data.images.boxes import Box, ImageSource
from promptreid.data.images.decode import cut_out, decode_picture
from promptreid.data.images.decoding_budget import default_threads
from promptreid.data.images.image_files import image_bytes

_JPEG = b"\xff\xd8\xff"
_QUALITY = 95
_PICTURES_A_TURN = 256


@dataclass(frozen=True)
class WrittenImages:
    """How images were written.

    Attributes:
        copied: Number of files that are copies.
        encoded: Number of JPEG files that were made of pixels.
    """

    copied: int
    encoded: int


def write_images(
    images: Sequence[ImageSource],
    files: Sequence[Path],
    *,
    as_jpeg: bool,
    counted: Callable[[int], None],
) -> WrittenImages:
    """Write images; each picture is read and decoded once, however many boxes it has.

    Args:
        images: Where the pixels of each are.
        files: Where each is written; folders are made.
        as_jpeg: Encode whole pictures that are no JPEG; else all whole pictures are copied.
        counted: Called with the number of images that were written since the last call.

    Raises:
        UnreadableImage: A picture cannot be read, or, where it is needed, decoded.
        OSError: A file cannot be written.
    """
    pictures: dict[Path, list[tuple[Box | None, Path]]] = {}
    for image, file in zip(images, files, strict=True):
        pictures.setdefault(image.path, []).append((image.box, file))
    for folder in {file.parent for file in files}:
        folder.mkdir(parents=True, exist_ok=True)
    copied, waiting = 0, list(pictures.items())
    with ThreadPoolExecutor(default_threads(), "promptreid-export") as pool:
        # Turn by turn, so that whoever stops the export waits for no more than a turn.
        for start in range(0, len(waiting), _PICTURES_A_TURN):
            turn = waiting[start : start + _PICTURES_A_TURN]
            done = pool.map(lambda item: _write_picture(*item, as_jpeg=as_jpeg), turn)
            for (_, parts), copies in zip(turn, done, strict=True):
                copied += copies
                counted(len(parts))
    return WrittenImages(copied, len(images) - copied)


def _write_picture(path: Path, parts: Sequence[tuple[Box | None, Path]], *, as_jpeg: bool) -> int:
    """Write all that is needed of a picture, and return how many files are copies of it."""
    data = image_bytes(path)
    pixels: Tensor | None = None
    copied = 0
    for box, file in parts:
        if box is None and (not as_jpeg or data.startswith(_JPEG)):
            file.write_bytes(data)
            copied += 1
            continue
        if pixels is None:
            pixels = decode_picture(data, path)
        part = pixels if box is None else cut_out(pixels, ImageSource(path, box))
        image = Image.fromarray(part.permute(1, 2, 0).contiguous().numpy())
        image.save(file, format="JPEG", quality=_QUALITY, subsampling=0)
    return copied
