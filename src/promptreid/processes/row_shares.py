"""Rows that processes share out: each computes some, and all get all, with the right gradient.

What holds everywhere: the gradient of the loss is the **sum** over the processes of what each of
them computes. A process takes the loss divided by the number of processes, so that parts which all
compute alike add up to the gradient of one; what a process computes for its own rows alone gets the
whole gradient of these rows, which the way back of `gather_rows` sums.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor

from promptreid.processes.process_group import Processes
from promptreid.seeds import derive_seed


def are_shared(rows: int, processes: Processes) -> bool:
    """Tell whether rows are shared out: there is a group, and a row for each of its processes."""
    return processes.grouped and rows >= processes.count


def gather_rows(tensors: Sequence[Tensor], rows: int, processes: Processes) -> list[Tensor]:
    """Put what each process computed of its share of rows together, in one exchange.

    On the way back the gradients that all processes have for a share are summed.

    Args:
        tensors: (b, ...) each, with the rows of this process's share.
        rows: B, number of rows of all processes.
        processes: Who shares them.

    Returns:
        (B, ...) each, the same in every process.
    """
    return list(cast("tuple[Tensor, ...]", _Gather.apply(processes, rows, *tensors)))


@contextmanager
def own_random_numbers(processes: Processes, device: torch.device) -> Generator[None]:
    """Let a process draw numbers of its own (dropout) for its rows; afterwards all draw the same.

    Args:
        processes: Who shares rows.
        device: Where they are computed.
    """
    cards = [device] if device.type == "cuda" else []
    seed = torch.initial_seed()
    with torch.random.fork_rng(cards):
        if processes.rank:
            torch.manual_seed(derive_seed(seed % 2**32, processes.rank))
        yield


class _Gather(torch.autograd.Function):
    """Rows of all processes; backwards, the sum of all their gradients for one's own rows."""

    @staticmethod
    def forward(ctx: Any, processes: Processes, rows: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.processes, ctx.rows = processes, rows
        ctx.kinds = [(tensor.shape[1:], tensor.dtype) for tensor in tensors]
        ctx.set_materialize_grads(False)
        # As bytes, so that one exchange serves all number types and changes none.
        packed = [tensor.detach().reshape(len(tensor), -1).view(torch.uint8) for tensor in tensors]
        sizes = [part.stop - part.start for part in processes.shares(rows)]
        gathered = processes.gather(torch.cat(packed, 1), sizes)
        parts = gathered.split([part.shape[1] for part in packed], 1)
        return tuple(
            part.contiguous().view(dtype).reshape(rows, *shape)
            for part, (shape, dtype) in zip(parts, ctx.kinds, strict=True)
        )

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        given = [gradient for gradient in gradients if gradient is not None]
        summed: list[Tensor] = []
        if given:
            packed = torch.cat([one.reshape(ctx.rows, -1).float() for one in given], 1)
            ctx.processes.sum_in_place(packed)
            own = packed[ctx.processes.share(ctx.rows)]
            summed = list(own.split([one[0].numel() for one in given], 1))
        return (
            None,
            None,
            *(
                None if gradient is None else summed.pop(0).reshape(-1, *shape).to(dtype)
                for gradient, (shape, dtype) in zip(gradients, ctx.kinds, strict=True)
            ),
        )
