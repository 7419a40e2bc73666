"""ROC and DET curves of runs, with thresholds marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from promptreid.evaluation.verification.roc import OperatingPoint
from promptreid.evaluation.verification.verification import Verification, VerificationResult
from promptreid.figures.extra import need
from promptreid.figures.style import (
    LIGHT,
    Theme,
    check_lines,
    drawn_in,
    label_percents,
    line_look,
    name_data,
)
from promptreid.text.number_words import similarity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIZE = (5.6, 4.2)  # inches
_LABELLED = 2  # runs whose thresholds are written out
_TICKS = (1e-6, 1e-5, 1e-4, 1e-3, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95)
_MOST = 0.95  # rate at the far ends of DET axes
_LEAST_SPAN = 0.1  # rate that DET axes reach down to at least, for few pairs and perfect models
_EDGE = 0.06  # of the height of the axes: words beyond it would leave them
_NORMAL = NormalDist()


def roc_figure(runs: Mapping[str, Verification], *, data: str = "", theme: Theme = LIGHT) -> Figure:
    """Draw true over false accept rate, the latter on a logarithmic axis.

    Marks stand at the false accept rates that were asked for and that the pairs suffice for, with
    the thresholds beside them for one or two runs. Curves and marks are those of the first repeat,
    EER and AUC of the legend the means over all.

    Args:
        runs: Verification by name, at least one.
        data: Name of the data set, above the figure.
        theme: Light or dark.

    Raises:
        ConfigError: There are too many runs, or matplotlib is missing.
    """
    check_lines(len(runs), theme)
    with drawn_in(theme):
        figure, axes = _panel()
        lowest = min(_least_rate(verification.per_repeat[0]) for verification in runs.values())
        axes.set(
            xscale="log", xlim=(lowest, 1), ylim=(-2, 104),
            xlabel="false accept rate (%)", ylabel="true accept rate (%)",
        )  # fmt: skip
        label_percents(axes.xaxis)
        for number, (name, verification) in enumerate(runs.items()):
            first, look = verification.per_repeat[0], line_look(theme, number)
            far, tar = np.array(first.curve.far), 100 * np.array(first.curve.tar)
            # The vertical part at FAR 0 is drawn at the least rate that can be seen.
            axes.plot(np.maximum(far, lowest), tar, **_plain(look))
            points = [point for point in first.points if point.tar is not None]
            _mark_points(
                axes,
                [point.far for point in points],
                [100 * (point.tar or 0) for point in points],
                [similarity(point.threshold) for point in points],
                look, label=_label(name, verification),
                better=_beside(verification, points, runs), upwards=1,
            )  # fmt: skip
        chance = np.geomspace(lowest, 1, 50)
        axes.plot(chance, 100 * chance, color=theme.faint, lw=0.8, ls=":", label="chance")
        name_data(figure, data)
        _finish(figure, axes, runs)
    return figure


def det_figure(runs: Mapping[str, Verification], *, data: str = "", theme: Theme = LIGHT) -> Figure:
    """Draw false rejects over false accepts on normal deviate axes (Martin et al., 1997).

    Scores that are normal with equal spread give a straight line there. Marks are those of
    `roc_figure`; the dotted line is where both rates are equal.

    Args:
        runs: Verification by name, at least one.
        data: Name of the data set, above the figure.
        theme: Light or dark.

    Raises:
        ConfigError: There are too many runs, or matplotlib is missing.
    """
    check_lines(len(runs), theme)
    with drawn_in(theme):
        figure, axes = _panel()
        firsts = [verification.per_repeat[0] for verification in runs.values()]
        low_far = min(_first_seen(first) for first in firsts)
        low_frr = min(_LEAST_SPAN, *(1 / first.genuine / 2 for first in firsts))
        low, high = _NORMAL.inv_cdf(min(low_far, low_frr)), _NORMAL.inv_cdf(_MOST)
        axes.set(
            xlim=(_NORMAL.inv_cdf(low_far), high), ylim=(_NORMAL.inv_cdf(low_frr), high),
            xlabel="false accept rate (%)", ylabel="false reject rate (%)",
        )  # fmt: skip
        for number, (name, verification) in enumerate(runs.items()):
            first, look = verification.per_repeat[0], line_look(theme, number)
            far, frr = np.array(first.curve.far), np.array(first.curve.frr)
            inside = (far > 0) & (far < 1) & (frr > 0) & (frr < 1)
            axes.plot(_deviate(far[inside]), _deviate(frr[inside]), **_plain(look))
            points = [point for point in first.points if point.tar is not None]
            seen = [point for point in points if 1 - _MOST < (point.tar or 0) < 1]
            _mark_points(
                axes,
                _deviate([point.far for point in seen]),
                _deviate([1 - (point.tar or 0) for point in seen]),
                [similarity(point.threshold) for point in seen],
                look, label=_label(name, verification),
                better=_beside(verification, seen, runs), upwards=-1,
            )  # fmt: skip
        axes.plot([low, high], [low, high], color=theme.faint, lw=0.8, ls=":", label="equal rates")
        for axis, least in ((axes.xaxis, low_far), (axes.yaxis, low_frr)):
            ticks = [tick for tick in _TICKS if least <= tick]
            axis.set_ticks(_deviate(ticks), [f"{100 * tick:g}" for tick in ticks])
        name_data(figure, data)
        _finish(figure, axes, runs)
    return figure


def verification_alt(runs: Mapping[str, Verification], data: str, title: str) -> str:
    """Say in words what a figure shows.

    Args:
        runs: Verification by name.
        data: Name of the data set.
        title: Name of the figure, such as "ROC curves".
    """
    lines = []
    for name, verification in runs.items():
        rates = ", ".join(
            f"{100 * point.tar:.1f} % at FAR {point.far:g} "
            f"(threshold {similarity(point.threshold)})"
            for point in verification.per_repeat[0].points
            if point.tar is not None
        )
        lines.append(
            f"{_label(name, verification)}, true accept rate {rates or 'not measured at any rate'}"
        )
    first = next(iter(runs.values()))
    return (
        f"{title} on {data}, {first.per_repeat[0].genuine:,} genuine and "
        f"{first.per_repeat[0].impostors:,} impostor pairs. {'; '.join(lines)}. {_note(first)}"
    ).strip()


def _panel() -> tuple[Figure, Any]:
    figure = need("matplotlib.figure").Figure(figsize=_SIZE, layout="constrained")
    return figure, figure.subplots()


def _least_rate(result: VerificationResult) -> float:
    """Return the decade below the least false accept rate that is not 0."""
    return float(10 ** np.floor(np.log10(1 / result.impostors)))


def _first_seen(result: VerificationResult) -> float:
    """Return the least false accept rate of a curve where it enters a DET figure."""
    pairs = zip(result.curve.far, result.curve.frr, strict=True)
    return min([far for far, frr in pairs if far > 0 and frr < _MOST] + [_LEAST_SPAN])


def _deviate(rates: Any) -> list[float]:
    return [_NORMAL.inv_cdf(float(rate)) for rate in rates]


def _plain(look: Mapping[str, Any]) -> dict[str, Any]:
    return {key: look[key] for key in ("color", "linestyle", "linewidth")}


def _beside(
    verification: Verification, points: Sequence[OperatingPoint], runs: Mapping[str, Verification]
) -> list[bool]:
    """Say of each point whether its threshold stands on the side where better curves lie.

    Args:
        verification: The run.
        points: Those of its points that are marked.
        runs: All runs; thresholds of more than two would lie over each other.

    Returns:
        One for each point, true where the run is the better one there; none for no words.
    """
    if len(runs) > _LABELLED:
        return []
    others = [other for other in runs.values() if other is not verification]
    return [
        all(
            (point.tar or 0, verification.auc) >= (_tar(other, point.far), other.auc)
            for other in others
        )
        for point in points
    ]


def _tar(verification: Verification, far: float) -> float:
    """Return the true accept rate of the first repeat, 0 where it is not known."""
    return next(
        (point.tar or 0 for point in verification.per_repeat[0].points if point.far == far), 0
    )


def _mark_points(
    axes: Any,
    across: list[float],
    up: list[float],
    thresholds: list[str],
    look: Mapping[str, Any],
    *,
    label: str,
    better: Sequence[bool],
    upwards: int,
) -> None:
    """Set marks on a curve, and thresholds beside them.

    Args:
        axes: Axes to draw on.
        across: Places of the points.
        up: Heights of the points.
        thresholds: Words of the points.
        look: Look of the run's line.
        label: Words of the run in the legend.
        better: For each point, whether no other run is better there; none for no words.
        upwards: 1 where better curves are higher and further left, -1 where they are lower.
    """
    axes.plot([], [], label=label, **look)  # for the legend: stroke and marker together
    axes.plot(across, up, zorder=4, **{**look, "markersize": 6.5, "linestyle": ""})
    if not better:
        return
    halo = need("matplotlib.patheffects").withStroke(linewidth=2.5, foreground=axes.get_facecolor())
    for x, y, words, best in zip(across, up, thresholds, better, strict=True):
        sideways, rising = (-1, upwards) if best else (1, -upwards)
        rising = _inwards(axes, y) or rising
        axes.annotate(
            words, (x, y), textcoords="offset points", xytext=(5 * sideways, 4 * rising),
            ha="left" if sideways > 0 else "right", va="bottom" if rising > 0 else "top",
            fontsize=7, zorder=5, path_effects=[halo],
        )  # fmt: skip


def _inwards(axes: Any, height: float) -> int:
    """Say which way leads off the edge of the axes that a height is near: 1 up, -1 down, 0 none."""
    low, high = axes.get_ylim()
    place = (height - low) / (high - low)
    return 1 if place < _EDGE else -1 if place > 1 - _EDGE else 0


def _label(name: str, verification: Verification) -> str:
    return f"{name}: EER {100 * verification.eer:.1f} %, AUC {verification.auc:.3f}"


def _note(verification: Verification) -> str:
    repeats = len(verification.per_repeat)
    if repeats == 1:
        return ""
    return f"Curves and thresholds of the first of {repeats} repeats; EER and AUC are means."


def _finish(figure: Figure, axes: Any, runs: Mapping[str, Verification]) -> None:
    axes.grid(visible=True)
    axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    title = "marks: thresholds for FAR 10 %, 1 %, …"
    note = _note(next(iter(runs.values())))
    figure.legend(
        handles, labels, loc="outside lower center", ncols=2 if len(labels) > 4 else 1, fontsize=8,
        title=f"{title}\n{note}" if note else title, title_fontsize=7,
    ).get_title().set_multialignment("center")  # fmt: skip
