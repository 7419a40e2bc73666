"""Pictures that are enrolled, as clients see them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from promptreid.data.images.boxes import ImageSource, parse_box
from promptreid.data.images.decode import decode_picture, read_image
from promptreid.data.images.image_files import UnreadableImage, image_bytes, open_image
from promptreid.errors import DataError
from promptreid.gallery.records.record_rows import Picture

_QUALITY = 85


def read_entry(picture: Picture) -> tuple[bytes, str]:
    """Return an enrolled picture as the bytes of an image file, and their media type.

    Raises:
        DataError: It lies elsewhere and is not there any more, or is damaged.
    """
    content = picture.crop
    if content is None:
        source = ImageSource(Path(picture.path or ""), parse_box(picture.box))
        try:
            if source.box is not None:
                return _encode(read_image(source).permute(1, 2, 0).numpy(), "PNG"), "image/png"
            content = image_bytes(source.path)
        except UnreadableImage as error:
            raise _refusal(error) from error
    try:
        with open_image(content) as image:
            media_type = Image.MIME.get(image.format or "")
    except Exception:  # damaged bytes can make a decoder raise anything; they are given as they are
        media_type = None
    return content, media_type or "application/octet-stream"


def make_thumbnail(content: bytes, size: int) -> bytes:
    """Return a picture as JPEG whose longer side has at most so many pixels.

    Raises:
        DataError: The content is damaged.
    """
    try:
        pixels = decode_picture(content, Path()).permute(1, 2, 0).numpy()
    except UnreadableImage as error:
        raise _refusal(error) from error
    image = Image.fromarray(pixels)
    image.thumbnail((size, size), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def _refusal(error: UnreadableImage) -> DataError:
    """Say what is wrong without where the file lies, which is nobody's business."""
    return DataError(f"The picture of this entry cannot be read: {error.reason}.")


def _encode(pixels: NDArray[np.uint8], form: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()
