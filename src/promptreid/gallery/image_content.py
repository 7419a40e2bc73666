"""What of an image is enrolled: its content, and the digest that tells it from others."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from promptreid.data.images.boxes import ImageSource, parse_box
from promptreid.data.images.image_files import image_bytes, open_image
from promptreid.gallery.records.record_rows import Picture
from promptreid.gallery.vector_model import GalleryImage

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ImageContent:
    """An image as it is enrolled.

    Attributes:
        digest: SHA-256 in hex, of a whole file's bytes, else of the pixels.
        crop: Bytes of an image file.
        path: Where the picture lies, in full; None for an image from memory.
        box: The part of the picture that is the image, as text; empty for all of it.
    """

    digest: str
    crop: bytes
    path: str | None
    box: str


def read_content(image: GalleryImage) -> ImageContent:
    """Read an image as it is to be enrolled.

    A whole file is kept as it is; a part of one and an image from memory are kept as PNG.

    Raises:
        UnreadableImage: The file cannot be read.
        DataError: An array or a Pillow image is none of 8 or 16 bits.
    """
    if image.file is not None:
        return ImageContent(hashlib.sha256(image.file).hexdigest(), image.file, None, "")
    source = ImageSource(image.pixels) if isinstance(image.pixels, Path) else image.pixels
    if isinstance(source, ImageSource):
        path = str(source.path.absolute())
        if source.box is None:
            content = image_bytes(source.path)
            return ImageContent(hashlib.sha256(content).hexdigest(), content, path, "")
        cut = _decode(source)
        return ImageContent(digest_pixels(cut), _encode(cut), path, str(source.box))
    upright = _decode(source)
    return ImageContent(digest_pixels(upright), _encode(upright), None, "")


def digest_image(image: GalleryImage) -> str:
    """Return the digest that `read_content` gives, without making an image file of pixels.

    Raises:
        UnreadableImage: The file cannot be read.
        DataError: An array or a Pillow image is none of 8 or 16 bits.
    """
    if image.file is not None:
        return hashlib.sha256(image.file).hexdigest()
    source = ImageSource(image.pixels) if isinstance(image.pixels, Path) else image.pixels
    if not isinstance(source, ImageSource):
        return digest_pixels(_decode(source))
    if source.box is None:
        return hashlib.sha256(image_bytes(source.path)).hexdigest()
    return digest_pixels(_decode(source))


def digest_pixels(pixels: torch.Tensor) -> str:
    """Return the SHA-256 in hex of the size and values of pixels (3, H, W)."""
    digest = hashlib.sha256(f"pixels {tuple(pixels.shape)}".encode())
    digest.update(np.ascontiguousarray(pixels.numpy()).tobytes())
    return digest.hexdigest()


def find_fault(picture: Picture) -> str | None:
    """Say in words what is wrong with a picture that is enrolled; None where nothing is."""
    try:
        content = picture.crop
        if content is None:
            place = ImageSource(Path(picture.path or ""), parse_box(picture.box))
            digest = read_content(GalleryImage(place)).digest
            right = digest == picture.content_hash
            return None if right else f"the picture {picture.path} is another than was enrolled"
        if hashlib.sha256(content).hexdigest() == picture.content_hash:
            return None
        with open_image(content) as image:
            if digest_pixels(_decode(image)) == picture.content_hash:
                return None
    except Exception as error:  # damaged bytes can make a decoder raise anything
        return f"its picture cannot be read: {error}"
    return "its picture is another than was enrolled"


def _decode(image: ImageSource | Image.Image | np.ndarray) -> torch.Tensor:
    """Return the pixels (3, H, W) of what is not enrolled as a whole file."""
    from promptreid.data.images.decode import read_image, to_uint8  # loads PyTorch

    return read_image(image) if isinstance(image, ImageSource) else to_uint8(image)


def _encode(pixels: torch.Tensor) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy()).save(file, "PNG")
    return file.getvalue()
