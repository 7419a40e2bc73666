"""Compute on another number of threads of the processor, and leave torch as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import torch


@contextlib.contextmanager
def torch_threads(number: int | None = None) -> Generator[None]:
    """Let torch compute on a number of threads in the block; afterwards it has its own again.

    Sums are split among threads, so that whoever leaves another number behind changes the last bits
    of everything that follows in the process.

    Args:
        number: Threads; None keeps the number, and restores it where the block changes it.
    """
    before = torch.get_num_threads()
    if number is not None:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
