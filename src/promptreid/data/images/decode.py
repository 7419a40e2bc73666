"""One photograph, whatever its format, as 8-bit RGB pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.io import ImageReadMode, decode_image

from promptreid.data.images.boxes import ImageSource, box_outside
from promptreid.data.images.image_files import (
    UnreadableImage,
    open_image,
    why_undecodable,
)
from promptreid.data.images.jpeg_header import count_plain_pixels
from promptreid.data.images.orientation import orientation_of, upright_image, upright_pixels
from promptreid.errors import DataError

# The fast decoder allocates what the header asks for, so larger pictures are left to Pillow, which
# refuses absurd sizes.
_LARGEST_FAST = 1 << 26  # pixels


def read_image(image: Path | ImageSource) -> Tensor:
    """Read a photograph as it is meant to be seen, upright and in RGB.

    Grey and RGB JPEGs take torchvision's fast decoder, everything else goes through Pillow. Both
    give the same pixels. Tags are read by Pillow alone.

    - The orientation is applied, wherever it stands (EXIF, XMP, tags of PNG and TIFF). Damaged tags
      leave a picture as it is stored.
    - Grey is repeated over the three channels. CMYK is converted as Pillow does.
    - Alpha is dropped, not composited, as Pillow's ``convert("RGB")`` does in published code.
    - 16-bit grey is scaled to 8 bits, ``round(value / 257)``, not clipped. Of 16-bit colour Pillow
      keeps the upper byte, which is at most 1 less.
    - Of an animation or a multi-page file the first frame is read.
    - A box is cut out last, so its pixels are those of the upright picture. What of it lies beyond
      the picture is left out.

    Args:
        image: The image file, with the part of it that is meant; or a path for all of it.

    Returns:
        Pixels (3, H, W), uint8, RGB.

    Raises:
        UnreadableImage: The file is missing, empty, truncated, not an image, or its pixels have no
            agreed brightness range (floating point, 32-bit integers); or the box lies outside of
            it. Pipes, devices and files above half a GiB are not opened.
    """
    source = image if isinstance(image, ImageSource) else ImageSource(Path(image))
    pixels = decode_picture(source.read(), source.path)
    return pixels if source.box is None else cut_out(pixels, source)


def cut_out(pixels: Tensor, image: ImageSource) -> Tensor:
    """Cut an image out of its picture.

    Args:
        pixels: (3, H, W), the upright picture.
        image: Where it is from, with its box.

    Returns:
        Pixels (3, h, w) of the part of the box that lies in the picture, contiguous.

    Raises:
        UnreadableImage: No part of the box does.
    """
    assert image.box is not None
    height, width = pixels.shape[1:]
    box = image.box.within(width, height)
    if box is None:
        raise UnreadableImage(image.path, box_outside(image.box, width, height))
    rows = slice(box.top, box.top + box.height)
    return pixels[:, rows, box.left : box.left + box.width].contiguous()


def decode_picture(data: bytes, path: Path) -> Tensor:
    """Decode the content of an image file, as `read_image` does.

    Args:
        data: The content.
        path: What the file is called in errors.

    Returns:
        Pixels (3, H, W) of the whole upright picture, uint8, RGB.

    Raises:
        UnreadableImage: The content is truncated, no image, or has no agreed brightness range.
    """
    try:
        count = count_plain_pixels(data)
        if count is not None and count <= _LARGEST_FAST:
            pixels = _decode_jpeg(data)
            if pixels is not None:
                return pixels
        with open_image(data) as image:
            pixels = _from_jpeg(data, image)
            return _from_pillow(image) if pixels is None else pixels
    except Exception as error:  # a broken file can make a decoder raise anything
        raise UnreadableImage(path, why_undecodable(error, data)) from error


def to_uint8(image: Image.Image | np.ndarray) -> Tensor:
    """Turn an image that is already in memory into the pixels `read_image` would give.

    Args:
        image: A Pillow image of any mode (its orientation is applied), or an array (H, W),
            (H, W, 1), (H, W, 3) in RGB order or (H, W, 4) with alpha, of uint8 or uint16.

    Returns:
        Pixels (3, H, W), uint8, RGB.

    Raises:
        DataError: The array has another shape or type, or the image cannot be converted.
    """
    if isinstance(image, np.ndarray):
        return _from_array(image)
    try:
        return _from_pillow(image)
    except Exception as error:  # Pillow decodes late, so a broken file shows only here
        reason = str(error).rstrip(".") or type(error).__name__
        raise DataError(f"The image cannot be converted to RGB: {reason}.") from error


def _from_jpeg(data: bytes, image: Image.Image) -> Tensor | None:
    """Decode a JPEG with tags, which Pillow has read; None leaves the pixels to Pillow too."""
    usual = image.format in ("JPEG", "MPO") and image.mode in ("L", "RGB")
    if not usual or image.width * image.height > _LARGEST_FAST:
        return None
    pixels = _decode_jpeg(data)
    if pixels is None or pixels.shape[1:] != (image.height, image.width):
        return None
    return upright_pixels(pixels, orientation_of(image))


def _decode_jpeg(data: bytes) -> Tensor | None:
    """Decode a JPEG as it is stored; None asks for Pillow, which also names what is wrong.

    Only JPEG is decoded like this: torchvision's PNG decoder crashes the process on damaged files.
    """
    try:
        # A copy, because torch does not wrap read-only bytes without a warning.
        buffer = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        return decode_image(buffer, ImageReadMode.RGB)
    except RuntimeError:
        return None


def _from_pillow(image: Image.Image) -> Tensor:
    mode, source = image.mode, image.format
    image = upright_image(image)
    widened = mode == "I" and source in ("PNG", "PPM")  # 16-bit files that Pillow widens
    if widened or mode.startswith("I;16"):
        return _from_array(np.asarray(image).astype(np.uint16))
    if mode in ("I", "F"):
        raise ValueError("its pixels are 32 bits wide, with no agreed brightness range")
    return _from_array(np.array(image.convert("RGB")))


def _from_array(array: np.ndarray) -> Tensor:
    shape = array.shape
    if (
        array.dtype not in (np.uint8, np.uint16)
        or len(shape) not in (2, 3)
        or (len(shape) == 3 and shape[2] not in (1, 3, 4))
        or 0 in shape
    ):
        raise DataError(
            f"An image array has shape {shape} and type {array.dtype}; it must be (H, W), "
            "(H, W, 1), (H, W, 3) or (H, W, 4), of uint8 or uint16. Scale floating point values "
            "to 0...255 and convert them first."
        )
    if len(shape) == 2:
        array = array[:, :, None]
    pixels = torch.from_numpy(np.array(array[:, :, :3])).permute(2, 0, 1)
    if pixels.dtype == torch.uint16:  # 0...65535 becomes 0...255, rounded to nearest
        pixels = ((pixels.to(torch.int32) + 128) // 257).to(torch.uint8)
    return pixels if pixels.shape[0] == 3 else pixels.repeat(3, 1, 1)
