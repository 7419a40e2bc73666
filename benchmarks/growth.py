"""`growth`: how time and memory grow with the gallery and with the identities that learn.

There is no plain side: at these sizes it would run for hours, or not fit. Every number is measured,
none is extended from smaller sizes.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from benchmarks.compare import Settings, describe_device
from benchmarks.growth_identities import identity_work
from benchmarks.growth_search import product_rate, search_work
from benchmarks.growth_work import Work
from benchmarks.memory import peak_memory
from promptreid.text.tables import plain_table
from promptreid.torch_threads import torch_threads

LIMITS = {
    "neighbours": (
        "one product of queries and gallery; then the gallery's rows, which must be in memory"
    ),
    "evaluate": "the same product; memory is a block of 64 queries, 256 bytes a gallery image",
    "verify": "the product twice, and sorting all scores; memory is a few blocks",
    "rerank": (
        "the product of all images with all: ten times the gallery takes a hundred times as long"
    ),
    "prompt step": (
        "the text tower for the identities of a batch; from about 10,000 identities Adam, which "
        "moves the words of all of them in every step; memory is words, gradient and two moments"
    ),
    "classifier step": (
        "scores of the batch for all identities, and Adam on their weights; memory is weights, "
        "gradient and two moments"
    ),
}
"""What each name's time and memory are limited by."""

_HEADER = ("name", "size", "seconds", "memory", "share of product peak")
_SHORT = 0.2  # seconds below which work is run again for a median


@dataclass(frozen=True)
class GrowthRow:
    """One line of the table.

    Attributes:
        name: What was done.
        size: Gallery images, or identities.
        seconds: Time of one run, the median of several where it is short.
        memory: Peak memory in bytes beyond inputs; None where unknown.
        share_of_peak: Rate of the matrix products, over the fastest product measured in the same
            run; None where products are not what the work consists of.
        device: Processor or graphics card, and threads.
    """

    name: str
    size: int
    seconds: float
    memory: int | None
    share_of_peak: float | None
    device: str

    def to_dict(self) -> dict[str, Any]:
        """Return all columns, JSON-ready."""
        return asdict(self)


def growth(settings: Settings) -> Iterator[GrowthRow]:
    """Measure everything in `LIMITS` at rising sizes, one row after the other."""
    with torch_threads(settings.threads):
        peak = product_rate(settings)
        for source in (search_work, identity_work):
            for work in source(settings):
                yield measure(work, settings, peak)


def measure(work: Work, settings: Settings, peak: float) -> GrowthRow:
    """Run some work and say how long it took and what memory it needed.

    Short work is run once before, untimed, and then several times.

    Args:
        work: What to run.
        settings: Device and threads.
        peak: Multiplications and additions a second of the fastest product.
    """
    gc.collect()
    seconds, memory = _once(work, settings)
    if seconds < _SHORT:
        runs = sorted((_once(work, settings) for _ in range(5)), key=lambda run: run[0])
        seconds, memory = runs[len(runs) // 2]
    share = None if work.products is None else work.products / seconds / peak
    return GrowthRow(
        name=work.name,
        size=work.size,
        seconds=seconds,
        memory=None if memory is None else memory + work.held,
        share_of_peak=share,
        device=describe_device(settings, settings.threads),
    )


def growth_lines(rows: Sequence[GrowthRow]) -> list[str]:
    """Lay rows out for people, with what limits each kind of work below."""
    cells = [
        (
            row.name,
            f"{row.size:,}",
            f"{row.seconds:.2f} s" if row.seconds >= 1 else f"{row.seconds * 1e3:.3g} ms",
            "" if row.memory is None else f"{row.memory / 2**20:,.0f} MiB",
            "" if row.share_of_peak is None else f"{100 * row.share_of_peak:.0f} %",
        )
        for row in rows
    ]
    table = plain_table([_HEADER, *cells], right=(False, *[True] * (len(_HEADER) - 1)))
    names = dict.fromkeys(row.name for row in rows)
    return [*table, "", *(f"{name}: {LIMITS[name]}." for name in names)]


def _once(work: Work, settings: Settings) -> tuple[float, int | None]:
    with peak_memory(settings.device) as peak:
        begun = time.perf_counter()
        work.run()
        if settings.device.type == "cuda":
            torch.cuda.synchronize(settings.device)
        seconds = time.perf_counter() - begun
    return seconds, peak.bytes
