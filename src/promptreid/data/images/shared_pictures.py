"""Several images in a row that are boxes of one picture, which is decoded once for all of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import Tensor

from promptreid.data.images.boxes import ImageSource
from promptreid.data.images.decode import cut_out, read_image


class SharedPictures:
    """Reads images, and keeps the last picture of which a box was read. It is for one thread."""

    def __init__(self) -> None:
        self._whole: ImageSource | None = None
        self._pixels: Tensor | None = None

    def read(self, image: Path | ImageSource) -> Tensor:
        """Read an image, as `read_image` does.

        Raises:
            UnreadableImage: As `read_image`.
        """
        if not isinstance(image, ImageSource) or image.box is None:
            return read_image(image)
        whole = replace(image, box=None)
        if self._pixels is None or self._whole != whole or self._whole.content != whole.content:
            self._pixels = read_image(whole)
            self._whole = whole
        return cut_out(self._pixels, image)
