"""Learning curves: loss, validation and learning rate, one column a stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from promptreid.errors import RunError
from promptreid.figures.drawn import Drawn
from promptreid.figures.extra import need
from promptreid.figures.style import (
    LIGHT,
    Theme,
    check_lines,
    label_decades,
    line_look,
    themed_figure,
)
from promptreid.runs.metrics_table import StageMetrics, Training
from promptreid.runs.run_folder import RunFolder
from promptreid.text.lists import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT = 3.7, 2.0  # inches of a panel
_LOG_FROM = 30.0  # ratio of largest to smallest value from which on an axis is logarithmic
_LEAST_SPAN = 10.0  # percentage points of an axis of validation scores
_MARKERS = 20  # on a line
_TOTAL = "sum, weighted"
_CHECKED = "val_mAP"
_KEPT = "kept"
_STAR = MappingProxyType({"marker": "*", "markersize": 13, "linestyle": ""})


def draw_curves(runs: Mapping[str, Path], *, theme: Theme = LIGHT) -> Drawn:
    """Read the tables of epochs in run folders, and draw them.

    Raises:
        RunError: A run has no table, or a damaged one.
        ConfigError: There are too many runs, or matplotlib is missing.
    """
    trainings = {name: _training(path) for name, path in runs.items()}
    return Drawn(curves_figure(trainings, theme=theme), curves_alt(trainings))


def _training(path: Path) -> Training:
    run = RunFolder.of(path)
    if run is None or not run.has_metrics:
        hint = "it is a file" if path.is_file() else "nothing was trained there"
        raise RunError(
            f"{path} has no learning curves: {hint}. Give the folder of a run that has been "
            "trained."
        )
    return run.training()


def curves_figure(runs: Mapping[str, Training], *, theme: Theme = LIGHT) -> Figure:
    """Draw learning curves of a run in detail, or of several runs over each other.

    One run shows the loss and its terms, each before its weight, and all validation scores. Several
    runs show loss and mAP of each. A star stands where validation chose the weights to keep.

    Raises:
        ConfigError: There are too many runs, or matplotlib is missing.
    """
    check_lines(len(runs), theme)
    stages = _stage_names(runs)
    validated = any(stage.validations for run in runs.values() for stage in run.stages)
    rows = ["loss", *["validation"] * validated, "learning rate"]
    size = max(5.0, _WIDTH * len(stages)) + 1.4, _HEIGHT * len(rows) + 0.6
    with themed_figure(theme, size) as figure:
        grid = figure.subplots(len(rows), len(stages), squeeze=False, sharex="col")
        for column, name in enumerate(stages):
            stage_by_run = {run: training.stage(name) for run, training in runs.items()}
            for title, axes in zip(rows, grid[:, column], strict=True):
                _PANELS[title](axes, stage_by_run, theme)
                if title == "validation":
                    _star_chosen(axes, name, runs, theme)
                axes.grid(visible=True)
                axes.spines[["top", "right"]].set_visible(False)
            grid[0, column].set_title(f"stage {name}")
            grid[-1, column].set_xlabel("epoch")
            grid[-1, column].xaxis.get_major_locator().set_params(integer=True)
        for title, axes in zip(rows, grid[:, 0], strict=True):
            checked = "validation mAP (%)" if len(runs) > 1 else "validation (%)"
            axes.set_ylabel(checked if title == "validation" else title)
        if len(runs) > 1:
            _shared_legend(figure, grid, list(runs), theme)
        else:
            _own_legends(grid[: len(rows) - 1])
    return figure


def curves_alt(runs: Mapping[str, Training]) -> str:
    """Say in words what the figure shows."""
    return "Learning curves. " + " ".join(
        f"{name}: {'; '.join(_stage_text(stage) for stage in training.stages)}{_kept(training)}."
        for name, training in runs.items()
    )


def _stage_text(stage: StageMetrics) -> str:
    parts = []
    for column, title, scale, unit in (("loss", "loss", 1, ""), (_CHECKED, "mAP", 100, " %")):
        _, values = stage.known(column)
        if values:
            parts.append(f"{title} from {scale * values[0]:.3g} to {scale * values[-1]:.3g}{unit}")
    return f"stage {stage.name}, {counted(len(stage.epochs), 'epoch')}, {', '.join(parts)}"


def _kept(training: Training) -> str:
    if training.chosen is None:
        return ""
    return f"; kept are the weights of stage {training.chosen[0]}, epoch {training.chosen[1]}"


def _stage_names(runs: Mapping[str, Training]) -> list[str]:
    """Return all stages; runs with most of them say the order."""
    longest = sorted(runs.values(), key=lambda run: -len(run.stages))
    return list(dict.fromkeys(stage.name for run in longest for stage in run.stages))


def _draw_losses(axes: Any, runs: Mapping[str, StageMetrics | None], theme: Theme) -> None:
    if len(runs) > 1:
        _draw_runs(axes, runs, "loss", 1.0, theme)
    else:
        (stage,) = runs.values()
        if stage is not None:
            if [stage.columns.get("loss")] != [stage.columns[term] for term in stage.terms]:
                for number, term in enumerate(stage.terms):
                    _plot(axes, stage, term, term.removeprefix("loss_"), line_look(theme, number))
            total = {"color": theme.ink, "linewidth": 2.2}
            label = _TOTAL if axes.lines else "loss"
            _plot(axes, stage, "loss", label, total)
    values = [value for line in axes.lines for value in line.get_ydata() if value > 0]
    if values and max(values) > _LOG_FROM * min(values):
        axes.set_yscale("log", nonpositive="clip")
        label_decades(axes.yaxis)


def _draw_validation(axes: Any, runs: Mapping[str, StageMetrics | None], theme: Theme) -> None:
    if len(runs) > 1:
        _draw_runs(axes, runs, _CHECKED, 100.0, theme)
    else:
        (stage,) = runs.values()
        if stage is not None:
            for number, column in enumerate(stage.validations):
                look = line_look(theme, number)
                _plot(axes, stage, column, column.removeprefix("val_"), look, scale=100.0)
    if axes.lines:
        _show_at_least(axes, _LEAST_SPAN)
    else:
        axes.text(0.5, 0.5, "not validated", ha="center", va="center", transform=axes.transAxes)
        axes.set_yticks([])


def _show_at_least(axes: Any, span: float) -> None:
    """Let an axis of percentages show so many points, lest noise look like a peak."""
    low, high = axes.get_ylim()
    if high - low < span:
        middle = min(max((low + high) / 2, span / 2), 100 - span / 2)
        axes.set_ylim(middle - span / 2, middle + span / 2)


def _draw_rates(axes: Any, runs: Mapping[str, StageMetrics | None], theme: Theme) -> None:
    _draw_runs(axes, runs, "lr", 1.0, theme)
    axes.set_ylim(bottom=0)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))


def _draw_runs(
    axes: Any, runs: Mapping[str, StageMetrics | None], column: str, scale: float, theme: Theme
) -> None:
    """Draw one column of each run; a run keeps its look where others lack the stage."""
    for number, (name, stage) in enumerate(runs.items()):
        if stage is not None:
            _plot(axes, stage, column, name, line_look(theme, number), scale=scale)


def _plot(
    axes: Any,
    stage: StageMetrics,
    column: str,
    label: str,
    look: Mapping[str, Any],
    *,
    scale: float = 1.0,
) -> None:
    epochs, values = stage.known(column)
    if not values:
        return
    marked = {"marker": "o", "markersize": 4, **look} if len(epochs) == 1 else look
    every = max(1, len(epochs) // _MARKERS)
    axes.plot(epochs, [scale * value for value in values], label=label, markevery=every, **marked)


def _star_chosen(axes: Any, stage: str, runs: Mapping[str, Training], theme: Theme) -> None:
    """Mark the epoch whose weights were kept, on the line of mAP."""
    for number, training in enumerate(runs.values()):
        metrics = training.stage(stage)
        if metrics is None or training.chosen is None or training.chosen[0] != stage:
            continue
        values = dict(zip(*metrics.known(_CHECKED), strict=True))
        if training.chosen[1] in values:
            epoch = training.chosen[1]
            face = line_look(theme, number)["color"]
            axes.plot(
                [epoch], [100 * values[epoch]], label=_KEPT, zorder=5, clip_on=False,
                markerfacecolor=face, markeredgecolor=theme.ink, **_STAR,
            )  # fmt: skip


_PANELS = {
    "loss": _draw_losses,
    "validation": _draw_validation,
    "learning rate": _draw_rates,
}


def _shared_legend(figure: Figure, grid: Any, names: list[str], theme: Theme) -> None:
    """Name each run once, below all panels."""
    handles: dict[str, Any] = {}
    for axes in grid.flat:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    has_star = _KEPT in handles
    handles = {name: handles[name] for name in names if name in handles}
    if has_star:  # in no run's colour
        handles[_KEPT] = need("matplotlib.lines").Line2D(
            [], [], markerfacecolor=theme.paper, markeredgecolor=theme.ink, **_STAR
        )
    columns = max(2, min(4, len(handles)))
    figure.legend(
        list(handles.values()), list(handles), loc="outside lower center", ncols=columns, fontsize=8
    )


def _own_legends(grid: Any) -> None:
    """Name the lines of one run beside each panel, where there are several."""
    for axes in grid.flat:
        if len(axes.get_legend_handles_labels()[1]) > 1:
            axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
