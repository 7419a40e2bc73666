"""Maps over their images: places, colours, scales, words."""

import numpy as np
import pytest
import torch

from promptreid.figures.activation.overlay import (
    MapRow,
    activation_alt,
    activation_figure,
    blend,
    colour_scale,
)
from promptreid.figures.style import DARK


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
