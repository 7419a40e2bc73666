"""Run two formulations of the same work in turns, compare their results, and keep the numbers."""

from __future__ import annotations

import gc
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.memory import peak_memory
from promptreid.torch_threads import torch_threads

_ROUNDS_TO_FAIL = 8


@dataclass(frozen=True)
class Settings:
    """How benchmarks are run.

    Attributes:
        quick: Small sizes, to see that everything works; the times then mean nothing.
        threads: Processor threads of both sides.
        device: Where models run.
    """

    quick: bool
    threads: int
    device: torch.device


@dataclass(frozen=True)
class Check:
    """How far two results are apart.

    Attributes:
        what: What is compared, in words.
        value: The largest difference.
        allowed: The largest difference that counts as equal.
    """

    what: str
    value: float
    allowed: float

    @property
    def passed(self) -> bool:
        """Whether the results agree; not-a-number never does."""
        return self.value <= self.allowed

    def __str__(self) -> str:
        sign = "≤" if self.passed else "is not ≤"
        return f"{self.what}: {self.value:.2g} {sign} {self.allowed:g}"


@dataclass(frozen=True)
class Comparison:
    """The plain formulation of some work, and the library's.

    Attributes:
        name: Of the row.
        plain: Does the work as its definition says.
        ours: Does it as the library does.
        checks: Compares what the two return; the first check is that of the row.
        repeats: Timed runs of each side.
        warm_up: Run each side once before, untimed.
        prepare: Called before every run of either side, untimed.
        held: Bytes that the two sides hold between runs, such as weights and moments of an
            optimizer; they are added to what a run needs.
        own_memory: Reads the peak memory off a result, for work done by another process.
        threads: Threads of this work, where they are not those of the settings.
        note: Further facts, read off the two times in seconds.
    """

    name: str
    plain: Callable[[], Any]
    ours: Callable[[], Any]
    checks: Callable[[Any, Any], tuple[Check, ...]]
    repeats: int = 5
    warm_up: bool = True
    prepare: Callable[[], None] | None = None
    held: tuple[int, int] = (0, 0)
    own_memory: Callable[[Any], int | None] | None = None
    threads: int | None = None
    note: Callable[[float, float], str] | None = None


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: Of the benchmark.
        ratio: Plain time over ours.
        lowest_ratio: The smallest plain time over ours of one round.
        highest_ratio: The largest.
        plain_seconds: Median time of the plain formulation.
        seconds: Median time of ours.
        max_difference: Largest difference of the results, by the first check.
        plain_memory: Peak memory of the plain formulation in bytes; None where unknown.
        memory: That of ours.
        device: Processor or graphics card, and threads.
    """

    name: str
    ratio: float
    lowest_ratio: float
    highest_ratio: float
    plain_seconds: float
    seconds: float
    max_difference: float
    plain_memory: int | None
    memory: int | None
    device: str

    @property
    def is_slower(self) -> bool:
        """Whether ours took longer than the plain formulation in every round."""
        return self.highest_ratio < 1

    def to_dict(self) -> dict[str, Any]:
        """Return all columns, JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class Outcome:
    """A row, with what was checked and noted beside it."""

    row: Row
    checks: tuple[Check, ...]
    note: str = ""

    @property
    def agrees(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


@dataclass
class _Side:
    """Runs of one side so far."""

    work: Callable[[], Any]
    result: Any = None
    memory: int | None = None

    def run(self, device: torch.device, prepare: Callable[[], None] | None) -> float:
        """Do the work once and return its seconds."""
        self.result = None
        if prepare is not None:
            prepare()
        with peak_memory(device) as peak:
            _wait(device)
            begun = time.perf_counter()
            self.result = self.work()
            _wait(device)
            seconds = time.perf_counter() - begun
        self.memory = peak.bytes
        return seconds


def compare(comparison: Comparison, settings: Settings) -> Outcome:
    """Run both sides in turns and compare the results of their last runs.

    Which side begins changes with every round, so that a drift of the machine's speed meets both.
    Times are medians; memory is that of each side's last run. As long as ours has lost every round,
    there are more rounds, up to `_ROUNDS_TO_FAIL`: of two equally fast sides one loses so many in
    one of 250 measurements.

    Args:
        comparison: The two sides.
        settings: Device and threads.
    """
    threads = comparison.threads or settings.threads
    gc.collect()
    with torch_threads(threads):
        plain, ours = _Side(comparison.plain), _Side(comparison.ours)
        times: dict[int, list[float]] = {0: [], 1: []}
        number = 0
        while number < comparison.repeats + comparison.warm_up or _in_doubt(times, settings):
            order = ((0, plain), (1, ours)) if number % 2 == 0 else ((1, ours), (0, plain))
            for which, side in order:
                seconds = side.run(settings.device, comparison.prepare)
                if number or not comparison.warm_up:
                    times[which].append(seconds)
            number += 1
        checks = comparison.checks(plain.result, ours.result)
    plain_seconds, seconds = statistics.median(times[0]), statistics.median(times[1])
    ratios = [slow / fast for slow, fast in zip(*times.values(), strict=True)]
    plain_memory, memory = (
        _memory(side, comparison, held)
        for side, held in zip((plain, ours), comparison.held, strict=True)
    )
    row = Row(
        name=comparison.name,
        ratio=plain_seconds / seconds,
        lowest_ratio=min(ratios),
        highest_ratio=max(ratios),
        plain_seconds=plain_seconds,
        seconds=seconds,
        max_difference=checks[0].value,
        plain_memory=plain_memory,
        memory=memory,
        device=describe_device(settings, threads),
    )
    note = comparison.note(plain_seconds, seconds) if comparison.note is not None else ""
    return Outcome(row, checks, note)


def _in_doubt(times: dict[int, list[float]], settings: Settings) -> bool:
    """Tell whether ours has lost every round, and too few to say that it is slower."""
    lost = all(slow < fast for slow, fast in zip(*times.values(), strict=True))
    return lost and len(times[0]) < _ROUNDS_TO_FAIL and not settings.quick


def describe_device(settings: Settings, threads: int) -> str:
    """Name the hardware, the threads, and whether the sizes were small."""
    if settings.device.type == "cuda":
        name = torch.cuda.get_device_name(settings.device)
    else:
        name = f"{_processor()} ({torch.backends.cpu.get_cpu_capability()})"
    words = [name, f"{threads} thread{'s' if threads > 1 else ''}"]
    return ", ".join([*words, "quick"] if settings.quick else words)


def _memory(side: _Side, comparison: Comparison, held: int) -> int | None:
    if comparison.own_memory is not None:
        return comparison.own_memory(side.result)
    return None if side.memory is None else side.memory + held


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
