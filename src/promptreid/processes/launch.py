"""What torchrun tells the processes that it starts, read without PyTorch."""

from __future__ import annotations

import os

_TOLD = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def is_launched() -> bool:
    """Tell whether torchrun, or something like it, has started this process as one of a group."""
    return all(name in os.environ for name in _TOLD)


def is_first() -> bool:
    """Tell whether this is the first of the processes that were started, or the only one."""
    return not is_launched() or os.environ["RANK"] == "0"


def count_processes() -> int:
    """Return how many processes were started together with this one, itself among them."""
    return int(os.environ["WORLD_SIZE"]) if is_launched() else 1


def local_rank() -> int:
    """Return the number of this process on its machine, from 0."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def attempt() -> int:
    """Return how often torchrun has started the processes again."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
