"""What of an image is enrolled: its content, and the digest that tells it from others."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from promptreid.data.images.boxes import ImageSource, parse_box
from promptreid.data.images.image_files import open_image
from promptreid.gallery.records.record_rows import Picture
from promptreid.gallery.vector_model import GalleryImage, Pixels

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
        image: The image, whose pixels are of this very content, whatever becomes of its file.
    """

    digest: str
    crop: bytes
    path: str | None
    box: str
    image: GalleryImage


def read_content(image: GalleryImage) -> ImageContent:
    """Read an image as it is to be enrolled, its file once.

    A whole file is kept as it is; a part of one and an image from memory are kept as PNG.

    Raises:
        UnreadableImage: The file cannot be read.
        DataError: An array or a Pillow image is none of 8 or 16 bits.
    """
    if image.file is not None:
        return ImageContent(digest_file(image.file), image.file, None, "", image)
    source = _find_source(image)
    if source is None:
        upright = _decode(image.pixels)
        return ImageContent(digest_pixels(upright), _encode(upright), None, "", image)
    path = str(source.path.absolute())
    if source.box is None:
        content = source.read()
        if source.content is None:
            image = replace(image, pixels=replace(source, content=content))
        return ImageContent(digest_file(content), content, path, "", image)
    cut = _decode(source)
    if source.content is None:
        image = replace(image, pixels=cut.permute(1, 2, 0).numpy())
    return ImageContent(digest_pixels(cut), _encode(cut), path, str(source.box), image)


def digest_image(image: GalleryImage) -> str:
    """Return the digest that `read_content` gives, without making an image file of pixels.

    Raises:
        UnreadableImage: The file cannot be read.
        DataError: An array or a Pillow image is none of 8 or 16 bits.
    """
    if image.file is not None:
        return digest_file(image.file)
    source = _find_source(image)
    if source is None or source.box is not None:
        return digest_pixels(_decode(source or image.pixels))
    return digest_file(source.read())


def digest_file(content: bytes) -> str:
    """Return the SHA-256 in hex of the bytes of a file."""
    return hashlib.sha256(content).hexdigest()


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
        if digest_file(content) == picture.content_hash:
            return None
        with open_image(content) as image:
            if digest_pixels(_decode(image)) == picture.content_hash:
                return None
    except Exception as error:  # damaged bytes can make a decoder raise anything
        return f"its picture cannot be read: {error}"
    return "its picture is another than was enrolled"


def _find_source(image: GalleryImage) -> ImageSource | None:
    """Return where the pixels of an image lie; None for an image from memory."""
    pixels = ImageSource(image.pixels) if isinstance(image.pixels, Path) else image.pixels
    return pixels if isinstance(pixels, ImageSource) else None


def _decode(image: Pixels) -> torch.Tensor:
    """Return the pixels (3, H, W) of what is not enrolled as a whole file."""
    from promptreid.data.images.decode import read_image, to_uint8  # loads PyTorch

    return read_image(image) if isinstance(image, Path | ImageSource) else to_uint8(image)


def _encode(pixels: torch.Tensor) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy()).save(file, "PNG")
    return file.getvalue()
