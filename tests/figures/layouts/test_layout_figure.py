"""Layouts by what is on them: marks, colours, legends, words."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.errors import ConfigError
from promptreid.figures.layouts.identity_spread import Spread
from promptreid.figures.layouts.layout_figure import Panel, layout_alt, layout_figure
from promptreid.figures.layouts.layouts import Layout
from promptreid.figures.selection import Selection
from promptreid.figures.style import THEMES, group_look


def selection(identities=3):
    rows = [
        Sample(f"{identity}{role}{n}.png", str(identity), role)
        for identity in range(identities)
        for role, count in (("query", 3), ("gallery", 1))
        for n in range(count)
    ]
    manifest = Manifest.of("hands", Path("/x"), rows)
    groups = tuple(int(name) for name in manifest.identities)
    names = tuple(str(n) for n in range(identities))
    return Selection(manifest, groups, names, manifest.splits)


def panels(count=2, rows=12, method="t-SNE", explained=None):
    rng = np.random.default_rng(0)
    spreads = (Spread(0.4, 0.8), Spread(0.2, 0.8))
    return [
        Panel(f"run{n}", Layout(rng.normal(size=(rows, 2)), method, explained), spreads[n])
        for n in range(count)
    ]


@pytest.mark.parametrize("theme", THEMES.values(), ids=str)
def test_identities_look_alike_in_all_panels_and_roles_differ(theme):
    figure = layout_figure(panels(), selection(), theme=theme)
    assert to_hex(figure.get_facecolor()) == theme.paper
    for axes, panel in zip(figure.axes, panels(), strict=True):
        assert axes.get_title() == panel.name
        found = {}
        for marks in axes.collections:
            face, edge = (to_hex(c[0]) for c in (marks.get_facecolor(), marks.get_edgecolor()))
            for point in marks.get_offsets():
                found[tuple(np.round(point, 6))] = (face, edge)
        for row, point in enumerate(panel.layout.points):
            hue, _ = group_look(theme, selection().groups[row])
            query = selection().roles[row] == "query"
            wanted = (hue, theme.ink) if query else (theme.paper, hue)
            assert found[tuple(np.round(point, 6))] == wanted


def test_ratio_stands_below_each_panel_and_the_legend_names_all():
    figure = layout_figure(panels(), selection())
    assert "0.50" in figure.axes[0].get_xlabel()
    assert "0.25" in figure.axes[1].get_xlabel()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["query", "gallery", "0", "1", "2"]
    words = layout_alt(panels(), selection())
    assert "run0 0.50; run1 0.25" in words
    assert words.endswith("in run1.")
    assert "tightest" not in layout_alt(panels(1), selection())


@pytest.mark.parametrize("count", [1, 3])
def test_long_names_stay_on_the_page(count):
    chosen = selection(8)
    named = tuple(f"{n}00000/some_domain_of_a_long_name" for n in range(8))
    shown = [Panel(f"r{n}", Layout(np.eye(32, 2), "t-SNE"), Spread(1, 2)) for n in range(count)]
    figure = layout_figure(shown, replace(chosen, identities=named))
    FigureCanvasAgg(figure).draw()
    (legend,) = figure.legends
    box, page = legend.get_window_extent(), figure.bbox
    assert page.x0 <= box.x0 < box.x1 <= page.x1
    assert page.y0 <= box.y0 < box.y1 <= figure.axes[0].get_window_extent().y0
    label = legend.get_texts()[2].get_text()
    assert len(label) == 24
    assert label.startswith("…")
    assert label.endswith("of_a_long_name")


def test_principal_components_say_how_much_they_show():
    shown = panels(method="PCA", explained=0.456)
    figure = layout_figure(shown, selection())
    assert "46 % of the variance is shown" in figure.axes[1].get_xlabel()
    words = layout_alt(shown, selection())
    assert words.startswith("PCA of 12 images of 3 identities")
    assert words.endswith("Share of the variance that is shown: run0 46 %; run1 46 %.")
    assert "variance" not in layout_alt(panels(), selection())
    assert "variance" not in layout_figure(panels(), selection()).axes[0].get_xlabel()


def test_too_many_identities_are_refused():
    with pytest.raises(ConfigError, match="36 identities are more than"):
        layout_figure(panels(1, 36 * 4), selection(36))
