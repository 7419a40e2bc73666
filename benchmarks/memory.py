"""Peak memory of a call, on the CPU by the process' resident memory, on CUDA by torch's count."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # proc(5): set the peak of the resident memory to what is resident now


@dataclass
class Peak:
    """What a call needed at its peak beyond what there was before it.

    Attributes:
        bytes: The peak; None where the system does not say.
    """

    bytes: int | None = None


@contextlib.contextmanager
def peak_memory(device: torch.device) -> Generator[Peak]:
    """Measure the block.

    The resident memory is what the system has really given to the process: tensors of every
    library are in it, and what was reserved but never touched is not. Memory that was freed but
    kept by the allocator is given back before the block, so that it does not hide new use.

    Args:
        device: CPU, or a CUDA device whose own memory is measured.

    Yields:
        An object that holds the peak after the block.
    """
    peak = Peak()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield peak
        peak.bytes = torch.cuda.max_memory_allocated(device) - before
        return
    _give_back()
    start = _reset_peak()
    yield peak
    if start is not None:
        peak.bytes = max(0, _resident("VmHWM:") - start)


def _give_back() -> None:
    with contextlib.suppress(OSError, AttributeError):  # glibc only
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _reset_peak() -> int | None:
    """Make the present use the peak and return it; None where that cannot be done."""
    try:
        _RESET.write_text(_RESET_PEAK)
        return _resident("VmRSS:")
    except (OSError, ValueError):  # not Linux, or not allowed
        return None


def _resident(key: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) << 10
    raise ValueError(f"{_STATUS} has no {key}")
