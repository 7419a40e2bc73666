"""Sum the gradients of all processes, many parameters in one exchange."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from promptreid.processes.process_group import Processes

_MOST = 32 * 2**20
"""Bytes of gradients that are exchanged at once: much, and yet little beside a model."""


def sum_gradients(parameters: Iterable[nn.Parameter], processes: Processes) -> None:
    """Replace each gradient by its sum over all processes, the same bits in each.

    Args:
        parameters: Those that learn, in the same order in every process.
        processes: Whose gradients are summed; without a group nothing happens.
    """
    if not processes.grouped:
        return
    gradients = [one.grad for one in parameters if one.grad is not None]
    for bucket in _buckets(gradients):
        flat = torch.cat([gradient.reshape(-1) for gradient in bucket])
        processes.sum_in_place(flat)
        parts = flat.split([gradient.numel() for gradient in bucket])
        for gradient, part in zip(bucket, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


def _buckets(gradients: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """Yield gradients of one number type together, up to a number of bytes."""
    bucket: list[Tensor] = []
    size = 0
    for gradient in gradients:
        count = gradient.numel() * gradient.element_size()
        if bucket and (size + count > _MOST or gradient.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(gradient)
        size += count
    if bucket:
        yield bucket
