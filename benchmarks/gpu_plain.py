"""The library beside the plain formulation, on a card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.gpu_rows import Run
from benchmarks.table import run_benchmark

_NAMES = ("image-step", "embed")


def compare_with_plain(run: Run) -> Iterator[Mapping[str, Any]]:
    """Give the rows of `promptreid bench` for training steps and embedding.

    Those named `autocast` compare with the plain formulation in half the bits, fp16 on a card. A
    dry run embeds only.
    """
    for name in _NAMES if run.on_card else _NAMES[-1:]:
        if run.is_over:
            yield {"name": name, "state": "left out: no time"}
            continue
        for outcome in run_benchmark(name, run.settings):
            row = outcome.row
            wrong = [str(check) for check in outcome.checks if not check.passed]
            yield {
                "name": row.name,
                "ratio": row.ratio,
                "plain s": row.plain_seconds,
                "ours s": row.seconds,
                "max difference": row.max_difference,
                "plain memory MiB": _mebibytes(row.plain_memory),
                "memory MiB": _mebibytes(row.memory),
                "state": f"failed: {'; '.join(wrong)}" if wrong else run.state,
            }


def _mebibytes(size: int | None) -> int | None:
    return None if size is None else round(size / 2**20)
