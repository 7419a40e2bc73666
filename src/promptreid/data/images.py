"""One photograph, whatever its format, as 8-bit RGB pixels."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torchvision.io import ImageReadMode, decode_image

from promptreid.errors import DataError

# The fast decoder allocates what the header asks for, so larger pictures are left to Pillow, which
# refuses absurd sizes.
_LARGEST_FAST = 1 << 26  # pixels


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
            f"The image {self.path} cannot be read: {self.reason}. Mend it or take it out of the "
            "data; commands leave such images out with --unreadable skip."
        )


def read_image(path: Path) -> Tensor:
    """Read a photograph as it is meant to be seen, upright and in RGB.

    Grey and RGB JPEGs take torchvision's fast decoder, everything else goes through Pillow. Both
    give the same pixels.

    - The EXIF orientation is applied.
    - Grey is repeated over the three channels. CMYK is converted as Pillow does.
    - Alpha is dropped, not composited, as Pillow's ``convert("RGB")`` does in published code.
    - 16-bit grey is scaled to 8 bits, ``round(value / 257)``, not clipped. Of 16-bit colour Pillow
      keeps the upper byte, which is at most 1 less.
    - Of an animation or a multi-page file the first frame is read.

    Args:
        path: The image file.

    Returns:
        Pixels (3, H, W), uint8, RGB.

    Raises:
        UnreadableImage: The file is missing, empty, truncated, not an image, or its pixels have no
            agreed brightness range (floating point, 32-bit integers).
    """
    data = _read_bytes(Path(path))
    try:
        pixels = _decode_jpeg(data)
        if pixels is None:
            with Image.open(io.BytesIO(data)) as image:
                pixels = _from_pillow(image)
    except Exception as error:  # a broken file can make a decoder raise anything
        raise UnreadableImage(Path(path), _reason(error)) from error
    return pixels


def to_uint8(image: Image.Image | np.ndarray) -> Tensor:
    """Turn an image that is already in memory into the pixels `read_image` would give.

    Args:
        image: A Pillow image of any mode (its EXIF orientation is applied), or an array (H, W),
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
        raise DataError(f"The image cannot be converted to RGB: {_reason(error)}.") from error


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UnreadableImage(path, "there is no such file") from error
    except IsADirectoryError as error:
        raise UnreadableImage(path, "it is a directory") from error
    except OSError as error:
        raise UnreadableImage(path, error.strerror or str(error)) from error
    if not data:
        raise UnreadableImage(path, "the file is empty")
    return data


def _decode_jpeg(data: bytes) -> Tensor | None:
    """Decode an ordinary JPEG; None asks for Pillow, which also names what is wrong.

    Only JPEG is decoded like this: torchvision's PNG decoder crashes the process on damaged files.
    """
    pixels, channels = _jpeg_header(data)
    if channels not in (1, 3) or pixels > _LARGEST_FAST:
        return None
    try:
        # A copy, because torch does not wrap read-only bytes without a warning.
        buffer = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        return decode_image(buffer, ImageReadMode.RGB, apply_exif_orientation=True)
    except RuntimeError:
        return None


def _jpeg_header(data: bytes) -> tuple[int, int]:
    """Pixels and channels of a JPEG's first frame (ITU-T T.81, B.2.2); zeros for anything else."""
    if not data.startswith(b"\xff\xd8\xff"):
        return 0, 0
    at = 2
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width, channels = struct.unpack_from(">HHB", data, at + 5)
            return height * width, channels
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0, 0


def _from_pillow(image: Image.Image) -> Tensor:
    mode, source = image.mode, image.format
    image = ImageOps.exif_transpose(image)
    if mode.startswith("I;16"):
        return _from_array(np.asarray(image).astype(np.uint16))
    if mode == "I" and source in ("PNG", "PPM"):  # 16-bit files that Pillow widens
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
    if pixels.dtype == torch.uint16:
        pixels = _eight_bits(pixels)
    return _three_channels(pixels)


def _three_channels(pixels: Tensor) -> Tensor:
    return pixels if pixels.shape[0] == 3 else pixels.repeat(3, 1, 1)


def _eight_bits(pixels: Tensor) -> Tensor:
    """Scale 0...65535 to 0...255, rounding to nearest."""
    return ((pixels.to(torch.int32) + 128) // 257).to(torch.uint8)


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "its contents are in no known image format"
    if isinstance(error, Image.DecompressionBombError):
        return "it has too many pixels (" + str(error).split(", could")[0] + ")"
    return str(error).rstrip(".") or type(error).__name__
