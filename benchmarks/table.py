"""All benchmarks by name, run one after another, and their table."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from promptreid.errors import ConfigError, unknown_name
from promptreid.text.tables import plain_table

if TYPE_CHECKING:
    from benchmarks.compare import Comparison, Outcome, Settings

BENCHMARKS = MappingProxyType(
    {
        "prompt-step": ("prompt_step:prompt_step", "training step of identity prompts"),
        "image-step": ("image_step:image_step", "training step of the image tower"),
        "products": ("products:products", "float32 products by the library that is chosen here"),
        "embed": ("embed:embed", "images to retrieval vectors"),
        "decode": ("decode:decode", "image files to resized pixels, one core"),
        "feed": ("feeding:feed", "epochs of resized pixels, first and later, one core"),
        "augment": ("feeding:augment", "random changes of a training batch"),
        "ranking": ("ranking:ranking", "CMC, mAP and mINP of a benchmark"),
        "rerank": ("rerank:rerank", "k-reciprocal re-ranking of a benchmark"),
        "gallery-search": (
            "gallery_search:gallery_search",
            "the nearest entries of a large gallery",
        ),
        "tar-at-far": ("tar_at_far:tar_at_far", "verification over all pairs"),
        "start": ("start:start", "time to the help text"),
    }
)
"""Where each benchmark is, and what it does."""

GROWTH = "growth"
"""A table of its own, see `benchmarks.growth`; made only when asked for by name."""

_NEAR_ONE = 2
"""Ratio below which a second decimal decides something."""

_HEADER = ("name", "ratio", "plain", "ours", "max difference", "plain memory", "memory")


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the benchmarks that are asked for, those of the table for none, in its order.

    Raises:
        ConfigError: A name is unknown.
    """
    known = (*BENCHMARKS, GROWTH)
    for name in names:
        if name not in known:
            raise ConfigError(unknown_name("benchmark", name, known))
    return tuple(name for name in known if name in (names or BENCHMARKS))


def run_benchmark(name: str, settings: Settings) -> Iterator[Outcome]:
    """Run one benchmark.

    Args:
        name: One of `BENCHMARKS`.
        settings: Sizes, threads and device.

    Yields:
        Its rows as they are done.
    """
    from benchmarks.compare import compare

    module, _, function = BENCHMARKS[name][0].partition(":")
    found = importlib.import_module(f"benchmarks.{module}")
    benchmark: Callable[[Settings], Iterator[Comparison]] = getattr(found, function)
    for comparison in benchmark(settings):
        yield compare(comparison, settings)


def table_lines(outcomes: Sequence[Outcome]) -> list[str]:
    """Lay rows out for people, the device once above each run of rows that share it."""
    cells = [
        (
            row.name,
            f"{row.ratio:.2f}x" if row.ratio < _NEAR_ONE else f"{row.ratio:.1f}x",
            _seconds(row.plain_seconds),
            _seconds(row.seconds),
            f"{row.max_difference:.1g}",
            _memory(row.plain_memory),
            _memory(row.memory),
        )
        for row in (outcome.row for outcome in outcomes)
    ]
    return plain_table([_HEADER, *cells], right=(False, *[True] * (len(_HEADER) - 1)))


def note_lines(outcome: Outcome) -> list[str]:
    """Say on what hardware a row was measured, what was compared and what else is known of it."""
    lines = [outcome.row.device, *(str(check) for check in outcome.checks)]
    lines += outcome.note.splitlines()
    return [f"{outcome.row.name}: {line}" for line in lines if line]


def failure_lines(outcomes: Sequence[Outcome], *, quick: bool) -> list[str]:
    """Say what is wrong with the rows: results that differ, and work that is slower than plain.

    Args:
        outcomes: What was measured.
        quick: Sizes were small, so that times mean nothing.
    """
    differing = [outcome.row.name for outcome in outcomes if not outcome.agrees]
    slower = [
        f"{row.name} ({row.ratio:.2f}x, at best {row.highest_ratio:.2f}x in a round)"
        for row in (outcome.row for outcome in outcomes)
        if row.is_slower and not quick
    ]
    lines = []
    if differing:
        lines.append(f"results differ by more than is allowed: {', '.join(differing)}")
    if slower:
        lines.append(f"slower than the plain formulation in every round: {', '.join(slower)}")
    return lines


def _seconds(value: float) -> str:
    if value >= 1:
        return f"{value:.2f} s"
    return f"{value * 1e3:.3g} ms"


def _memory(value: int | None) -> str:
    return "" if value is None else f"{value / 2**20:,.0f} MiB"
