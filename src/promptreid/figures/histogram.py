"""How similar pairs of one identity and pairs of different identities are."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from promptreid.evaluation.verification.verification import Verification
from promptreid.evaluation.verification.verification_result import Histogram
from promptreid.figures.extra import need
from promptreid.figures.style import LIGHT, Theme, themed_figure
from promptreid.text.number_words import similarity
from promptreid.text.short import shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT = 6.0, 1.75  # inches of a panel
_TITLE = 62  # bold letters above a panel
_LEAST_SHARE = 0.0005  # of the pairs of a kind, in a bin that is shown


def histogram_figure(
    runs: Mapping[str, Verification], *, data: str = "", theme: Theme = LIGHT
) -> Figure:
    """Draw a panel for each run, below each other.

    Models differ in the range of their similarities, so each panel has an axis of its own. Each
    kind of pair is scaled to its own number, since impostors outnumber genuine pairs by far. The
    upright line is the threshold of the equal error rate. With several repeats the bars are those
    of the first; rates and threshold are means over all, as in tables.

    Raises:
        ConfigError: Matplotlib is missing.
    """
    with themed_figure(theme, (_WIDTH, _HEIGHT * len(runs) + 0.8), data=data) as figure:
        grid = figure.subplots(len(runs), 1, squeeze=False)
        for axes, (name, verification) in zip(grid[:, 0], runs.items(), strict=True):
            _draw_panel(axes, name, verification, theme)
        grid[-1, 0].set_xlabel("cosine similarity")
        figure.supylabel("share of pairs (%)", fontsize=9)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def histogram_alt(runs: Mapping[str, Verification], data: str) -> str:
    """Say in words what the figure shows."""
    lines = []
    for name, verification in runs.items():
        first = verification.per_repeat[0]
        (genuine, genuine_spread), (impostors, impostor_spread) = _moments(first.histogram)
        repeats = len(verification.per_repeat)
        several = f", mean of {repeats} repeats" if repeats > 1 else ""
        lines.append(
            f"{name}: genuine {genuine:.2f} ± {genuine_spread:.2f}, impostors {impostors:.2f} ± "
            f"{impostor_spread:.2f}, d' {_mean_decidability(verification):.2f}, EER "
            f"{100 * verification.eer:.1f} % at {similarity(verification.eer_threshold)}{several}"
        )
    first = next(iter(runs.values())).per_repeat[0]
    return (
        f"Cosine similarity of {first.genuine:,} genuine and {first.impostors:,} impostor pairs of "
        f"{data}, mean and standard deviation. {'; '.join(lines)}."
    )


def decidability(histogram: Histogram) -> float:
    """Compute d', how far the two kinds lie apart in units of their spread.

    |m1 - m2| / sqrt((s1^2 + s2^2) / 2) (Daugman, "Biometric decision landscapes", 2000), with the
    pairs of a bin counted at its middle.
    """
    (genuine, genuine_spread), (impostors, impostor_spread) = _moments(histogram)
    spread = ((genuine_spread**2 + impostor_spread**2) / 2) ** 0.5
    return abs(genuine - impostors) / spread if spread else float("inf")


def _mean_decidability(verification: Verification) -> float:
    return statistics.fmean(decidability(repeat.histogram) for repeat in verification.per_repeat)


def _moments(histogram: Histogram) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return mean and standard deviation of genuine and of impostor scores."""
    edges = np.array(histogram.edges)
    middles = (edges[:-1] + edges[1:]) / 2
    return _moment(middles, histogram.genuine), _moment(middles, histogram.impostors)


def _moment(middles: NDArray[np.float64], counts: tuple[int, ...]) -> tuple[float, float]:
    mean = float(np.average(middles, weights=counts))
    return mean, float(np.average((middles - mean) ** 2, weights=counts) ** 0.5)


def _shown_range(histogram: Histogram) -> tuple[float, float]:
    """Return the similarities beyond which there are next to no pairs of either kind."""
    counts = np.array([histogram.genuine, histogram.impostors], dtype=float)
    shares = (counts / counts.sum(axis=1, keepdims=True)).max(axis=0)
    seen = np.flatnonzero(shares > _LEAST_SHARE)
    return histogram.edges[seen[0]], histogram.edges[seen[-1] + 1]


def _draw_panel(axes: Any, name: str, verification: Verification, theme: Theme) -> None:
    histogram = verification.per_repeat[0].histogram
    kinds = (
        ("different identities", histogram.impostors, theme.hues[4], "--", "////"),
        ("same identity", histogram.genuine, theme.hues[0], "-", None),
    )
    for label, counts, hue, stroke, hatch in kinds:
        shares = 100 * np.array(counts) / sum(counts)
        edge = need("matplotlib.colors").to_rgba(hue, 1.0)
        face = need("matplotlib.colors").to_rgba(hue, 0.12 if hatch else 0.35)
        axes.stairs(
            shares, histogram.edges, fill=True, facecolor=face, edgecolor=edge, hatch=hatch,
            linestyle=stroke, linewidth=1.2, label=label,
        )  # fmt: skip
    axes.axvline(
        verification.eer_threshold, color=theme.ink, lw=1.1, ls="-.", label="equal error threshold"
    )
    scores = (
        f": EER {100 * verification.eer:.1f} % at {similarity(verification.eer_threshold)}, "
        f"d′ {_mean_decidability(verification):.2f}"
    )
    axes.set_title(shortened(name, _TITLE - len(scores)) + scores, loc="left")
    axes.set_xlim(*_shown_range(histogram))
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
