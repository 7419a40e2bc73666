"""Cutting the boxes of detections out of a frame of a video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import Tensor

from promptreid.data.images.decode import read_image, to_uint8
from promptreid.errors import DataError


@dataclass(frozen=True, eq=False)
class FrameCrops:
    """What lies in the boxes of a frame.

    Attributes:
        images: RGB pixels (h, w, 3), uint8, of the boxes that hold some.
        rows: (M,) numbers of these boxes, in order.
        count: N, how many boxes there are.
    """

    images: list[NDArray[np.uint8]]
    rows: NDArray[np.int64]
    count: int


def crop_boxes(
    frame: str | Path | Image.Image | np.ndarray, boxes: ArrayLike, *, bgr: bool
) -> FrameCrops:
    """Cut boxes out of a frame, as supervision does: corners are rounded, then clipped.

    Args:
        frame: A file, a Pillow image, or an array (H, W, 3).
        boxes: (N, 4) left, top, right and bottom in pixels, the last two exclusive.
        bgr: Whether an array has blue first, as OpenCV reads it; files and Pillow images say
            themselves.

    Returns:
        Boxes that hold no pixel, because they are empty, lie outside or are not finite, are left
        out.

    Raises:
        DataError: The boxes are no (N, 4) numbers, or the frame is no image.
    """
    corners = _read_boxes(boxes)
    pixels = _read_frame(frame)
    swap = bgr and isinstance(frame, np.ndarray)
    height, width = pixels.shape[:2]
    finite = np.asarray(np.isfinite(corners).all(axis=1))
    whole = np.where(finite[:, None], corners, 0).round()
    clipped = np.clip(whole, 0, [width, height, width, height]).astype(np.int64)
    left, top, right, bottom = clipped.T
    rows = np.flatnonzero(finite & (right > left) & (bottom > top))
    images = []
    for row in rows:
        crop = pixels[top[row] : bottom[row], left[row] : right[row]]
        images.append(np.ascontiguousarray(crop[..., ::-1] if swap else crop))
    return FrameCrops(images, rows, len(corners))


def _read_boxes(boxes: ArrayLike) -> NDArray[np.float64]:
    values = boxes.cpu() if isinstance(boxes, Tensor) else boxes
    try:
        corners = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"The boxes are no numbers: {error}.") from error
    if corners.size == 0:
        return corners.reshape(0, 4)
    if corners.ndim != 2 or corners.shape[1] != 4:
        raise DataError(
            f"Boxes are (N, 4): left, top, right and bottom of each, in pixels; got an array of "
            f"shape {corners.shape}."
        )
    return corners


def _read_frame(frame: str | Path | Image.Image | np.ndarray) -> NDArray[np.uint8]:
    if isinstance(frame, np.ndarray):
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise DataError(
                f"A frame is an array (H, W, 3) of uint8; got {frame.dtype} of shape {frame.shape}."
            )
        return frame
    pixels = read_image(Path(frame)) if isinstance(frame, str | Path) else to_uint8(frame)
    return pixels.permute(1, 2, 0).numpy()
