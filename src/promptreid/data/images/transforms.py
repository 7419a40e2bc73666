"""Pure functions on image tensors: resize, flip, pad and crop, normalise, erase.

Everything random is an argument, so that the same call gives the same pixels on any device. On a
processor images are changed one by one, each while it is in the cache; on a graphics card, which
works through few large operations faster, all at once.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad as pad_borders
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as vision

from promptreid.data.images.preprocess import Preprocess
from promptreid.transfer import send

_CHUNK = 8  # images of a batch that are normalised at a time on a processor


def resize(image: Tensor, size: tuple[int, int], interpolation: str) -> Tensor:
    """Resize with antialiasing, as Pillow does: each value is within 1 of Pillow's.

    Rows are resampled before columns, with rounding in between. So did Pillow when the published
    weights were trained; Pillow 13 starts with the columns where that is cheaper, and then differs
    by a little more. The aspect ratio is not kept: re-ID crops are stretched to the model's input.

    Args:
        image: Pixels (3, H, W), uint8.
        size: New height and width.
        interpolation: ``"bicubic"`` or ``"bilinear"``.

    Returns:
        Pixels (3, *size), uint8.
    """
    return vision.resize(
        image, list(size), interpolation=InterpolationMode(interpolation), antialias=True
    )


def flip(batch: Tensor, mask: Tensor) -> Tensor:
    """Mirror images (B, C, H, W) left to right where the mask (B,) bool is true."""
    if batch.device.type != "cpu":
        return flip_at_once(batch, mask)
    flipped = batch.clone()
    for row in mask.nonzero()[:, 0].tolist():
        flipped[row] = batch[row].flip(-1)
    return flipped


def flip_at_once(batch: Tensor, mask: Tensor) -> Tensor:
    """Do what `flip` does, in operations over the whole batch."""
    return torch.where(mask[:, None, None, None], batch.flip(-1), batch)


def pad_crop(batch: Tensor, top: Tensor, left: Tensor, *, pad: int) -> Tensor:
    """Add a black border and cut each image back to its size at its own offset.

    Args:
        batch: Images (B, C, H, W).
        top: First row kept of each padded image, (B,) int64 in 0...2·pad.
        left: First column kept, likewise.
        pad: Width of the border in pixels.

    Returns:
        Images (B, C, H, W).
    """
    if batch.device.type != "cpu":
        return pad_crop_at_once(batch, top, left, pad=pad)
    height, width = batch.shape[2:]
    cropped = torch.zeros_like(batch)
    # An image that is moved out of sight altogether moves by its size.
    down = (top - pad).clamp(-height, height).tolist()
    right = (left - pad).clamp(-width, width).tolist()
    for image, target, y, x in zip(batch, cropped, down, right, strict=True):
        seen = image[:, max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)]
        target[:, max(-y, 0) : height - max(y, 0), max(-x, 0) : width - max(x, 0)] = seen
    return cropped


def pad_crop_at_once(batch: Tensor, top: Tensor, left: Tensor, *, pad: int) -> Tensor:
    """Do what `pad_crop` does, in operations over the whole batch."""
    count, _, height, width = batch.shape
    padded = pad_borders(batch, (pad, pad, pad, pad))
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view: no window is copied yet
    return windows[torch.arange(count, device=batch.device), :, top, left]


def normalize(batch: Tensor, preprocess: Preprocess) -> Tensor:
    """Scale pixels to [0, 1], subtract the mean and divide by the deviation, per channel.

    The operations are those of torchvision's ToTensor and Normalize in the same order, so that the
    result is equal to theirs to the last bit.

    Args:
        batch: Pixels (..., 3, H, W), uint8, on any device.
        preprocess: Gives mean and std.

    Returns:
        Images of the same shape, float32, on the same device.
    """
    statistics = torch.tensor([preprocess.mean, preprocess.std], dtype=torch.float32)
    mean, std = send(statistics, batch.device)[:, :, None, None]
    images = torch.empty(batch.shape, dtype=torch.float32, device=batch.device)
    at_a_time = _CHUNK if batch.device.type == "cpu" and batch.dim() == 4 else len(batch)
    for part, pixels in zip(images.split(at_a_time), batch.split(at_a_time), strict=True):
        part.copy_(pixels).div_(255).sub_(mean).div_(std)
    return images


def erase(batch: Tensor, boxes: Tensor, noise: Tensor) -> Tensor:
    """Replace one box of each image by noise, in place (Zhong et al., Random Erasing, 2017).

    Args:
        batch: Images (B, C, H, W), normalised; they are changed.
        boxes: Top, left, height and width of each image's box, (B, 4) int64, inside the image.
            A box of height or width 0 leaves its image as it is.
        noise: New values, at least `noise_size(boxes, C)` of them, image by image, within an image
            channel by channel and row by row.

    Returns:
        `batch`.
    """
    if batch.device.type != "cpu":
        return erase_at_once(batch, boxes, noise)
    used, noise = 0, noise.to(batch)
    for image, (top, left, tall, wide) in zip(batch, boxes.tolist(), strict=True):
        box = image[:, top : top + tall, left : left + wide]
        box.copy_(noise[used : used + box.numel()].view_as(box))
        used += box.numel()
    return batch


def erase_at_once(batch: Tensor, boxes: Tensor, noise: Tensor) -> Tensor:
    """Do what `erase` does, in operations over the whole batch."""
    return batch.masked_scatter_(box_mask(boxes, *batch.shape[2:]), noise.to(batch))


def box_mask(boxes: Tensor, height: int, width: int) -> Tensor:
    """Return which pixels lie in each image's box, (B, 1, H, W) bool.

    Args:
        boxes: Top, left, height and width, (B, 4) int64, on the device of the result.
        height: H, rows of an image.
        width: W, columns of an image.
    """
    top, left, tall, wide = (column[:, None] for column in boxes.unbind(1))
    row = torch.arange(height, device=boxes.device)
    column = torch.arange(width, device=boxes.device)
    in_rows = (row >= top) & (row < top + tall)
    in_columns = (column >= left) & (column < left + wide)
    return in_rows[:, None, :, None] & in_columns[:, None, None, :]


def noise_size(boxes: Tensor, channels: int) -> int:
    """Count the values that `erase` replaces in images of some channels, by boxes (B, 4)."""
    return channels * int((boxes[:, 2] * boxes[:, 3]).sum())
