"""Pictures that are enrolled, as clients see them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Generator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from promptreid.data.images.boxes import ImageSource, parse_box
from promptreid.data.images.decode import cut_out, decode_picture
from promptreid.data.images.image_files import (
    UnreadableImage,
    image_bytes,
    open_image,
    why_undecodable,
)
from promptreid.errors import DataError
from promptreid.gallery.records.record_rows import Picture
from promptreid.serve.sent_pictures import PixelBudget
from promptreid.serve.service_settings import ServiceSettings

_QUALITY = 85


@contextlib.contextmanager
def decoding_entry(
    picture: Picture, budget: PixelBudget, settings: ServiceSettings
) -> Generator[NDArray[np.uint8]]:
    """Give the pixels (H, W, 3) of an enrolled picture, held of the budget as long as it lasts.

    Raises:
        DataError: It lies elsewhere and is not there any more, is damaged, or has too many pixels,
            by its header, before any is decoded.
    """
    source = ImageSource(Path(picture.path or ""), parse_box(picture.box))
    try:
        content = image_bytes(source.path) if picture.crop is None else picture.crop
        with budget.holding(_count_pixels(content, settings.picture_pixels)):
            pixels = decode_picture(content, source.path)
            if picture.crop is None and source.box is not None:
                pixels = cut_out(pixels, source)
            yield pixels.permute(1, 2, 0).numpy()
    except UnreadableImage as error:
        raise _refusal(error.reason) from error


def read_entry(
    picture: Picture, budget: PixelBudget, settings: ServiceSettings
) -> tuple[bytes, str]:
    """Return an enrolled picture as the bytes of an image file, and their media type.

    Raises:
        DataError: It lies elsewhere and is not there any more, or it is a part of a picture that
            cannot be decoded, as `decoding_entry` says.
    """
    content = picture.crop
    if content is None:
        if picture.box:
            with decoding_entry(picture, budget, settings) as pixels:
                return _encode(pixels, "PNG"), "image/png"
        try:
            content = image_bytes(Path(picture.path or ""))
        except UnreadableImage as error:
            raise _refusal(error.reason) from error
    try:
        with open_image(content) as image:
            media_type = Image.MIME.get(image.format or "")
    except Exception:  # damaged bytes can make a decoder raise anything; they are given as they are
        media_type = None
    return content, media_type or "application/octet-stream"


def make_thumbnail(pixels: NDArray[np.uint8], size: int) -> bytes:
    """Return pixels (H, W, 3) as JPEG whose longer side has at most so many."""
    image = Image.fromarray(pixels)
    image.thumbnail((size, size), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def _count_pixels(content: bytes, most: int) -> int:
    try:
        with open_image(content) as image:
            width, height = image.size
    except Exception as error:  # damaged bytes can make a decoder raise anything
        raise _refusal(why_undecodable(error, content)) from error
    if width * height > most:
        raise _refusal(
            f"its file has {width:,} x {height:,} pixels and the service decodes {most:,}; "
            "promptreid gallery export writes it as it is"
        )
    return width * height


def _refusal(reason: str) -> DataError:
    """Say what is wrong without where the file lies, which is nobody's business."""
    return DataError(f"The picture of this entry cannot be read: {reason}.")


def _encode(pixels: NDArray[np.uint8], form: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()
