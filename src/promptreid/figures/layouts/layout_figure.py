"""A panel for each run: where its embeddings of the same images lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from promptreid.errors import ConfigError
from promptreid.figures.extra import need
from promptreid.figures.layouts.identity_spread import Spread
from promptreid.figures.layouts.layouts import Layout
from promptreid.figures.selection import Selection
from promptreid.figures.style import LIGHT, Theme, group_look, most_groups, themed_figure
from promptreid.text.short import ending, folded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE = 3.6  # inches
_TITLE = 34  # bold letters across that
_NAMED = 14
_SIZE = 42  # square points
_LONGEST_NAME = 24
_LETTER, _MARK, _LINE = 0.085, 0.5, 0.21  # inches that a legend needs for each


@dataclass(frozen=True, eq=False)
class Panel:
    """One run's picture.

    Attributes:
        name: Name of the run.
        layout: Its points row for row those of the selection.
        spread: Distances in the space of the embeddings.
    """

    name: str
    layout: Layout
    spread: Spread


def layout_figure(panels: Sequence[Panel], selection: Selection, *, theme: Theme = LIGHT) -> Figure:
    """Draw panels side by side.

    An identity has the same colour and shape in all of them. Queries are filled, gallery images
    hollow.

    Raises:
        ConfigError: There are more identities than can be told apart, or matplotlib is missing.
    """
    if len(selection.identities) > most_groups(theme):
        raise ConfigError(
            f"{len(selection.identities)} identities are more than colours and shapes can tell "
            f"apart; take {most_groups(theme)} at most."
        )
    handles, width = _handles(selection, theme), _SIDE * len(panels)
    longest = max(len(handle.get_label()) for handle in handles)
    columns = max(1, int(width / (_MARK + _LETTER * longest)))
    lines = -(-len(handles) // columns)
    size = width, _SIDE + 0.8 + _LINE * lines
    with themed_figure(theme, size, data=selection.manifest.name) as figure:
        grid = figure.subplots(1, len(panels), squeeze=False)
        for panel, axes in zip(panels, grid[0], strict=True):
            _draw_panel(axes, panel, selection, theme)
        figure.legend(handles=handles, loc="outside lower center", ncols=columns, columnspacing=1.2)
    return figure


def layout_alt(panels: Sequence[Panel], selection: Selection) -> str:
    """Say in words what the figure shows."""
    ratios = "; ".join(f"{panel.name} {panel.spread.ratio:.2f}" for panel in panels)
    best = min(panels, key=lambda panel: panel.spread.ratio)
    verdict = f" Identities are tightest, relative to their distances, in {best.name}."
    return (
        f"{panels[0].layout.method} of {len(selection.groups)} images of "
        f"{len(selection.identities)} identities of {selection.manifest.name}, one panel a run. "
        f"Mean distance within identities over that between identities: {ratios}."
        f"{verdict if len(panels) > 1 else ''}{_explained(panels)}"
    )


def _explained(panels: Sequence[Panel]) -> str:
    """Say how much of the variance each panel shows, where the method tells."""
    shares = [
        f"{panel.name} {100 * panel.layout.explained:.0f} %"
        for panel in panels
        if panel.layout.explained is not None
    ]
    return f" Share of the variance that is shown: {'; '.join(shares)}." if shares else ""


def _draw_panel(axes: Any, panel: Panel, selection: Selection, theme: Theme) -> None:
    groups, roles = np.array(selection.groups), np.array(selection.roles)
    for role in sorted(set(roles), key=lambda role: -(roles == role).sum()):  # the few on top
        for group in range(len(selection.identities)):
            rows = (groups == group) & (roles == role)
            if rows.any():
                hue, shape = group_look(theme, group)
                points, look = panel.layout.points[rows], _mark(role, hue, theme)
                axes.scatter(*points.T, marker=shape, clip_on=False, **look)
    spread = panel.spread
    axes.set_title(folded(panel.name, _TITLE))
    lines = [
        f"within / between identities: {spread.ratio:.2f}",
        f"({spread.intra:.2f} / {spread.inter:.2f} in the embedding)",
    ]
    if panel.layout.explained is not None:
        lines.append(f"{100 * panel.layout.explained:.0f} % of the variance is shown")
    axes.set_xlabel("\n".join(lines))
    axes.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
    axes.margins(0.06)


def _mark(role: str, hue: str, theme: Theme) -> dict[str, Any]:
    """Return how a point looks: filled for a query, hollow for a gallery image."""
    hollow = role == "gallery"
    return {
        "s": _SIZE,
        "facecolors": theme.paper if hollow else hue,
        "edgecolors": hue if hollow else theme.ink,
        "linewidths": 1.6 if hollow else 0.6,
    }


def _handles(selection: Selection, theme: Theme) -> list[Any]:
    """Return what the legend explains: roles, and identities unless they are many."""
    handles = [
        _handle("o", role, _mark(role, theme.faint, theme))
        for role in ("query", "gallery", "image")
        if role in selection.roles
    ]
    if len(selection.identities) <= _NAMED:
        for group, name in enumerate(selection.identities):
            hue, shape = group_look(theme, group)
            label = ending(name, _LONGEST_NAME)
            handles.append(_handle(shape, label, _mark("query", hue, theme)))
    return handles


def _handle(shape: str, label: str, mark: dict[str, Any]) -> Any:
    return need("matplotlib.lines").Line2D(
        [], [], linestyle="", marker=shape, label=label, markersize=mark["s"] ** 0.5,
        markerfacecolor=mark["facecolors"], markeredgecolor=mark["edgecolors"],
        markeredgewidth=mark["linewidths"],
    )  # fmt: skip
