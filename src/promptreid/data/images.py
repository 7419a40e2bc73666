"""One photograph, whatever its format, as 8-bit RGB pixels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torchvision.io import ImageReadMode, decode_image

from promptreid.errors import DataError

# A file above this size is measured before it is decoded; a smaller one cannot expand to more
# than about a gigabyte.
_LARGE_FILE = 1 << 20

_JPEG = bytes((0xFF, 0xD8, 0xFF))
_PNG = bytes((0x89, 0x50, 0x4E, 0x47))


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
        return f"The image {self.path} cannot be read: {self.reason}."


def read_image(path: Path) -> Tensor:
    """Read a photograph as it is meant to be seen, upright and in RGB.

    JPEG and PNG take the fast decoder; everything else, and CMYK, goes through Pillow. Both give
    the same pixels.

    - The EXIF orientation is applied.
    - Grey is repeated over the three channels. CMYK is converted as Pillow does.
    - Alpha is dropped, not composited, as Pillow's ``convert("RGB")`` does in published code.
    - 16-bit values are scaled to 8 bits, ``round(value / 257)``, not clipped.
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
        if len(data) > _LARGE_FILE:
            # Pillow only reads the header here, and refuses sizes that would exhaust the memory.
            Image.open(io.BytesIO(data)).close()
        pixels = _decode_fast(data)
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


def _decode_fast(data: bytes) -> Tensor | None:
    """Decode an ordinary JPEG or PNG; None asks for Pillow, which also names what is wrong."""
    if not data.startswith((_JPEG, _PNG)):
        return None
    # A JPEG shows its own channels, so that CMYK is noticed. A PNG must be asked for RGB: its
    # palette would otherwise come back as numbers of colours.
    mode = ImageReadMode.UNCHANGED if data.startswith(_JPEG) else ImageReadMode.RGB
    try:
        # A copy, because torch does not wrap read-only bytes without a warning.
        buffer = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        pixels = decode_image(buffer, mode, apply_exif_orientation=True)
    except RuntimeError:
        return None
    if pixels.dtype == torch.uint16:
        pixels = _eight_bits(pixels)
    return _three_channels(pixels) if pixels.shape[0] in (1, 3) else None


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
