"""ROC and DET curves of runs, with thresholds marked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from promptreid.evaluation.verification.roc import Curve, OperatingPoint
from promptreid.evaluation.verification.verification import Verification
from promptreid.evaluation.verification.verification_result import VerificationResult
from promptreid.figures.extra import need
from promptreid.figures.style import (
    LIGHT,
    Theme,
    check_lines,
    label_percents,
    line_look,
    themed_figure,
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
    EER and AUC of the legend the means over all. The name of the data set stands above the figure.

    Raises:
        ConfigError: There are too many runs, or matplotlib is missing.
    """
    check_lines(len(runs), theme)
    with themed_figure(theme, _SIZE, data=data) as figure:
        axes = figure.subplots()
        lowest = min(_least_rate(verification.per_repeat[0]) for verification in runs.values())
        axes.set(
            xscale="log", xlim=(lowest, 1), ylim=(-2, 104),
            xlabel="false accept rate (%)", ylabel="true accept rate (%)",
        )  # fmt: skip
        label_percents(axes.xaxis)

        def line(curve: Curve) -> tuple[Any, Any]:
            # The vertical part at FAR 0 is drawn at the least rate that can be seen.
            return np.maximum(curve.far, lowest), 100 * np.array(curve.tar)

        def mark(far: float, tar: float) -> tuple[float, float]:
            return far, 100 * tar

        _draw_runs(axes, runs, theme, line, mark, upwards=1)
        chance = np.geomspace(lowest, 1, 50)
        axes.plot(chance, 100 * chance, color=theme.faint, lw=0.8, ls=":", label="chance")
        _finish(figure, axes, runs)
    return figure


def det_figure(runs: Mapping[str, Verification], *, data: str = "", theme: Theme = LIGHT) -> Figure:
    """Draw false rejects over false accepts on normal deviate axes (Martin et al., 1997).

    Scores that are normal with equal spread give a straight line there. Arguments, errors and marks
    are those of `roc_figure`; the dotted line is where both rates are equal.
    """
    check_lines(len(runs), theme)
    with themed_figure(theme, _SIZE, data=data) as figure:
        axes = figure.subplots()
        firsts = [verification.per_repeat[0] for verification in runs.values()]
        low_far = min(_first_seen(first) for first in firsts)
        low_frr = min(_LEAST_SPAN, *(1 / first.genuine / 2 for first in firsts))
        low, high = _NORMAL.inv_cdf(min(low_far, low_frr)), _NORMAL.inv_cdf(_MOST)
        axes.set(
            xlim=(_NORMAL.inv_cdf(low_far), high), ylim=(_NORMAL.inv_cdf(low_frr), high),
            xlabel="false accept rate (%)", ylabel="false reject rate (%)",
        )  # fmt: skip

        def line(curve: Curve) -> tuple[list[float], list[float]]:
            far, frr = np.array(curve.far), np.array(curve.frr)
            inside = (far > 0) & (far < 1) & (frr > 0) & (frr < 1)
            return _deviate(far[inside]), _deviate(frr[inside])

        def mark(far: float, tar: float) -> tuple[float, float] | None:
            if not 1 - _MOST < tar < 1:
                return None
            return _NORMAL.inv_cdf(far), _NORMAL.inv_cdf(1 - tar)

        _draw_runs(axes, runs, theme, line, mark, upwards=-1)
        axes.plot([low, high], [low, high], color=theme.faint, lw=0.8, ls=":", label="equal rates")
        for axis, least in ((axes.xaxis, low_far), (axes.yaxis, low_frr)):
            ticks = [tick for tick in _TICKS if least <= tick]
            axis.set_ticks(_deviate(ticks), [f"{100 * tick:g}" for tick in ticks])
        _finish(figure, axes, runs)
    return figure


def verification_alt(runs: Mapping[str, Verification], data: str, title: str) -> str:
    """Say in words what a figure shows; its title may be "ROC curves"."""
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


def _least_rate(result: VerificationResult) -> float:
    """Return the decade below the least false accept rate that is not 0."""
    return float(10 ** np.floor(np.log10(1 / result.impostors)))


def _first_seen(result: VerificationResult) -> float:
    """Return the least false accept rate of a curve where it enters a DET figure."""
    pairs = zip(result.curve.far, result.curve.frr, strict=True)
    return min([far for far, frr in pairs if far > 0 and frr < _MOST] + [_LEAST_SPAN])


def _deviate(rates: Any) -> list[float]:
    return [_NORMAL.inv_cdf(float(rate)) for rate in rates]


def _draw_runs(
    axes: Any,
    runs: Mapping[str, Verification],
    theme: Theme,
    line: Callable[[Curve], tuple[Any, Any]],
    mark: Callable[[float, float], tuple[float, float] | None],
    *,
    upwards: int,
) -> None:
    """Draw the curve of each run, marks on it, and thresholds beside these.

    Args:
        axes: Axes to draw on.
        runs: Verification by name.
        theme: Gives the looks.
        line: Turns a curve into places across and up.
        mark: Turns a false and a true accept rate into a place; None where it is out of sight.
        upwards: 1 where better curves are higher and further left, -1 where they are lower.
    """
    halo = need("matplotlib.patheffects").withStroke(linewidth=2.5, foreground=axes.get_facecolor())
    for number, (name, verification) in enumerate(runs.items()):
        first, look = verification.per_repeat[0], line_look(theme, number)
        axes.plot(
            *line(first.curve), **{key: look[key] for key in ("color", "linestyle", "linewidth")}
        )
        marks = [
            (place, point)
            for point in first.points
            if point.tar is not None and (place := mark(point.far, point.tar)) is not None
        ]
        axes.plot([], [], label=_label(name, verification), **look)  # stroke and marker together
        across, up = [place[0] for place, _ in marks], [place[1] for place, _ in marks]
        axes.plot(across, up, zorder=4, **{**look, "markersize": 6.5, "linestyle": ""})
        for (x, y), point in marks if len(runs) <= _LABELLED else ():
            best = _is_better(verification, point, runs)
            sideways, rising = (-1, upwards) if best else (1, -upwards)
            rising = _inwards(axes, y) or rising
            axes.annotate(
                similarity(point.threshold), (x, y), textcoords="offset points",
                xytext=(5 * sideways, 4 * rising), ha="left" if sideways > 0 else "right",
                va="bottom" if rising > 0 else "top", fontsize=7, zorder=5, path_effects=[halo],
            )  # fmt: skip


def _is_better(
    verification: Verification, point: OperatingPoint, runs: Mapping[str, Verification]
) -> bool:
    """Tell whether no other run is better at a point, so that its words go where curves are."""
    rates = [
        (
            next((p.tar or 0 for p in run.per_repeat[0].points if p.far == point.far), 0),
            run.auc,
        )
        for run in runs.values()
    ]
    return (point.tar or 0, verification.auc) == max(rates)


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
