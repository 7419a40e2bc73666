"""CMC curves of runs in one panel."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from promptreid.evaluation.ranking.scores import CURVE_LENGTH, Scores
from promptreid.figures.style import LIGHT, Theme, check_lines, line_look, themed_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TICKS = (1, 5, 10, 15, 20, 30, 40, 50)
_MARGIN = 4.0  # percent below the lowest point


def cmc_figure(
    runs: Mapping[str, Scores], *, data: str = "", ranks: int = 20, theme: Theme = LIGHT
) -> Figure:
    """Draw a curve for each run: the share of queries with a match within rank 1, 2, ...

    With several repeats the band is one sample standard deviation to either side of the mean. The
    curves are at most 50 ranks long, and the name of the data set stands above them.

    Raises:
        ConfigError: There are too many runs, or matplotlib is missing.
    """
    check_lines(len(runs), theme)
    ranks = min(ranks, CURVE_LENGTH)
    with themed_figure(theme, (5.6, 3.9), data=data) as figure:
        axes = figure.subplots()
        places, lowest = range(1, ranks + 1), 100.0
        for number, (name, scores) in enumerate(runs.items()):
            look = line_look(theme, number)
            curve = 100 * np.array(scores.curve[:ranks])
            spread = 100 * np.array(_spread(scores, ranks))
            band = curve - spread, curve + spread
            axes.plot(places, curve, label=_label(name, scores), zorder=3, **look)
            if scores.repeats > 1:
                axes.fill_between(places, *band, color=look["color"], alpha=0.15, lw=0)
            lowest = min(lowest, *band[0])
        start = max(0.0, lowest - _MARGIN)
        axes.set(
            xlabel="rank", ylabel="queries with a match within the rank (%)",
            xlim=(0.6, ranks + 0.4), ylim=(start, 101),
            xticks=[tick for tick in _TICKS if tick <= ranks],
        )  # fmt: skip
        if start:  # which makes differences look larger
            axes.text(
                0.99, 0.02, f"axis from {start:.0f} %, not from 0", ha="right", va="bottom",
                fontsize=7, color=theme.faint, transform=axes.transAxes,
            )  # fmt: skip
        axes.grid(visible=True)
        axes.spines[["top", "right"]].set_visible(False)
        columns = 1 if len(runs) <= 8 else 2
        figure.legend(loc="outside lower center", ncols=columns, fontsize=8)
    return figure


def cmc_alt(runs: Mapping[str, Scores], data: str) -> str:
    """Say in words what the figure shows."""
    scores = next(iter(runs.values()))
    lines = "; ".join(_label(name, result, (1, 5, 10), " ") for name, result in runs.items())
    repeats = f", mean of {scores.repeats} repeats" if scores.repeats > 1 else ""
    best = max(runs, key=lambda name: runs[name].cmc[1])
    verdict = f" {best} has the highest rank-1." if len(runs) > 1 else ""
    return (
        f"CMC curves on {data}, {scores.queries} queries against {scores.gallery} gallery images"
        f"{repeats}: {lines}.{verdict}"
    )


def _spread(scores: Scores, ranks: int) -> list[float]:
    curves = [repeat.curve[:ranks] for repeat in scores.per_repeat]
    if len(curves) == 1:
        return [0.0] * ranks
    return [statistics.stdev(values) for values in zip(*curves, strict=True)]


def _label(name: str, scores: Scores, ranks: Sequence[int] = (1,), mark: str = ": ") -> str:
    """Name a run, its scores, and what was done to its embeddings: curves differ by that, too."""
    first = ", ".join(f"rank-{rank} {100 * scores.cmc[rank]:.1f} %" for rank in ranks)
    done = {
        "mirror images": scores.settings.flip,
        "sentences": scores.sentences is not None,
        "query expansion": scores.settings.expansion is not None,
        "re-ranked": scores.settings.rerank is not None,
    }
    steps = ", ".join(step for step, wanted in done.items() if wanted)
    text = f"{name}{mark}{first}, mAP {100 * scores.mAP:.1f} %"
    return f"{text} ({steps})" if steps else text
