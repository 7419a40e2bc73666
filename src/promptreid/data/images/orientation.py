"""Turning pictures upright, in one way for both decoders: as Pillow reads the orientation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import ExifTags, Image

if TYPE_CHECKING:
    from torch import Tensor

_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
UPRIGHT = 1


def orientation_of(image: Image.Image) -> int:
    """Read how a picture is stored, from wherever Pillow looks: EXIF, XMP, PNG or TIFF tags.

    A damaged tag says nothing about how the picture is stored, so it counts as upright, as viewers
    show it; the pixels may be whole.

    Returns:
        1 (upright) to 8, as EXIF numbers them.
    """
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
        number = next((number for number in _TRANSPOSE if number == value), UPRIGHT)
    except Exception:  # damaged tags can make the parser raise anything
        return UPRIGHT
    return number


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height of a decoded picture as it is seen, in pixels."""
    return image.size if orientation_of(image) < 5 else (image.height, image.width)


def upright_image(image: Image.Image) -> Image.Image:
    """Turn a Pillow image, decoding it first; some formats keep tags behind the pixels."""
    image.load()
    orientation = orientation_of(image)
    return image if orientation == UPRIGHT else image.transpose(_TRANSPOSE[orientation])


def upright_pixels(pixels: Tensor, orientation: int) -> Tensor:
    """Turn pixels that were decoded as they are stored.

    Args:
        pixels: (3, H, W).
        orientation: 1 to 8, as EXIF numbers them.

    Returns:
        (3, H, W), or (3, W, H) from orientation 5 on, contiguous.
    """
    if orientation >= 5:
        pixels = pixels.transpose(1, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels.flip(2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels.flip(1)
    return pixels.contiguous()
