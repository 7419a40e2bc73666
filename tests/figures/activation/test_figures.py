"""Figures by what is on them: marks, colours, scales, words."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from PIL import Image

from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.errors import ConfigError
from promptreid.figures.activation.overlay import (
    MapRow,
    activation_alt,
    activation_figure,
    blend,
    colour_scale,
)
from promptreid.figures.layouts.identity_spread import Spread
from promptreid.figures.layouts.layout_figure import Panel, layout_alt, layout_figure
from promptreid.figures.layouts.layouts import Layout
from promptreid.figures.saving import save_figure
from promptreid.figures.selection import Selection
from promptreid.figures.style import DARK, LIGHT, THEMES, group_look


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


def row(name="run", title="attention rollout", values=None):
    values = torch.linspace(0, 2, 32).view(2, 4, 4) if values is None else values
    return MapRow(name, title, values, (0.25, 0.25), (0.25, 0.25))


def pictures(*sizes):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in sizes]


def test_a_row_of_overlays_for_each_run_with_one_scale():
    weak = row("weak", values=torch.ones(2, 4, 4))
    shown = pictures((40, 20), (30, 60))
    figure = activation_figure(shown, ["a", "b" * 40], [row("strong"), weak], theme=DARK)
    grid = np.array(figure.axes).reshape(3, 3)  # colour bars in the last column
    axes = grid[:, :2].flatten()
    assert [one.get_title() for one in axes[:2]] == ["a", "…" + "b" * 15]
    assert axes[2].get_ylabel() == "strong\nattention rollout"
    assert np.array_equal(axes[0].images[0].get_array(), shown[0])
    for one in axes:
        assert one.images[0].get_array().shape[:2] in ((40, 20), (30, 60))
    bars = grid[1:, 2]
    assert not grid[0, 2].axison
    assert bars[0].get_ylim() == pytest.approx(colour_scale([row("strong"), weak]))
    assert not bars[1].axison  # rows of one kind share the scale of the first one's bar


def test_scales_cut_outliers_off_and_never_collapse():
    values = torch.ones(2, 32, 32)
    values[0, 0, 0] = 50.0
    low, high = colour_scale([row(values=values)])
    assert (low, high) == pytest.approx((1.0, 1.5))
    low, high = colour_scale([row(), row(values=3 * torch.ones(2, 4, 4))])
    assert (low, high) == pytest.approx((0.0, 3.0))


def test_maps_lie_where_their_patches_are():
    values = torch.zeros(1, 4, 4)
    values[0, 1, 3] = 1.0
    spread = row(values=values).over(0, (80, 40))
    assert spread.shape == (80, 40)
    peak = np.unravel_index(spread.argmax(), spread.shape)
    assert 28 <= peak[0] <= 31  # second of four rows
    assert peak[1] >= 34  # last of four columns


def test_colour_grows_with_the_value():
    import matplotlib

    picture = np.full((1, 3, 3), 128, np.uint8)
    found = blend(picture, np.array([[0.0, 0.5, 1.0]], np.float32), matplotlib.colormaps["inferno"])
    assert found.min() >= 0
    assert found.max() <= 1
    spread = found[0].max(axis=1) - found[0].min(axis=1)
    assert spread[0] < 0.02 < spread[1] < spread[2]


def test_alt_text_names_images_and_strengths():
    words = activation_alt(["7", "9"], [row("mine")], "hands")
    assert words.startswith("2 images of hands (7, 9)")
    assert "attention rollout of mine, strongest patch 2.0 times" in words


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_files_hold_the_description_and_are_the_same_every_time(tmp_path, kind):
    alt = "two runs, the second tighter"
    for name in ("one", "two"):
        figure = layout_figure(panels(), selection(), theme=LIGHT)
        save_figure(figure, tmp_path / "new" / f"{name}.{kind}", alt=alt)
    one, two = ((tmp_path / "new" / f"{name}.{kind}").read_bytes() for name in ("one", "two"))
    assert one == two
    if kind == "png":
        with Image.open(tmp_path / "new" / "one.png") as image:
            assert image.text["Description"] == alt
            assert min(image.size) > 600
    else:
        assert alt.encode() in one


def test_other_endings_are_refused(tmp_path):
    figure = layout_figure(panels(), selection())
    with pytest.raises(ConfigError, match=r"\.png, \.svg, \.pdf"):
        save_figure(figure, tmp_path / "figure.bmp", alt="")
    assert not list(tmp_path.iterdir())
