import math

import pytest
import torch

from promptreid.errors import ModelError
from promptreid.figures.activation.relevance_maps import (
    channel_energy,
    enlarge,
    even_share,
    head_mean,
    patches_only,
    strongest_groups,
)


def draw(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def test_even_share_is_relative_to_the_mean_of_each_image():
    values = draw(3, 7)
    values[2] = 0
    found = even_share(values)
    assert torch.allclose(found[:2], values[:2] / values[:2].mean(1, keepdim=True))
    assert torch.equal(found[2], torch.ones(7))


def test_energy_and_head_mean_by_loops():
    tokens, attention = draw(2, 5, 4) - 0.5, draw(2, 3, 5)
    energy, mean = channel_energy(tokens), head_mean(attention)
    for image in range(2):
        for cell in range(5):
            squares = [float(value) ** 2 for value in tokens[image, cell]]
            assert energy[image, cell] == pytest.approx(sum(squares) / 4)
            heads = [float(attention[image, head, cell]) for head in range(3)]
            assert mean[image, cell] == pytest.approx(sum(heads) / 3)


def test_patches_come_last():
    values = torch.arange(8).repeat(2, 1)
    assert patches_only(values, (2, 3)).tolist() == [[2, 3, 4, 5, 6, 7]] * 2
    with pytest.raises(ModelError, match="8 tokens for a grid of 3x3"):
        patches_only(values, (3, 3))


def test_strongest_groups_by_their_mean():
    values = torch.tensor([[[0.0, 3.0, 1.0], [0.0, 1.0, 4.0]]])
    assert strongest_groups(values, 2) == [2, 1]
    assert strongest_groups(values, 9) == [2, 1, 0]


def interpolated(cells, place):
    """Value of a row of cells at a place counted in cells, held beyond the ends."""
    place = min(max(place, 0.0), len(cells) - 1.0)
    low = min(math.floor(place), len(cells) - 2)
    return cells[low] + (place - low) * (cells[low + 1] - cells[low])


@pytest.mark.parametrize(
    ("stride", "patch", "rows", "columns"), [(8, 8, 4, 3), (6, 8, 5, 3), (5, 8, 5, 4)]
)
def test_cells_are_spread_around_the_centres_of_their_patches(stride, patch, rows, columns):
    height, width = 35, 26
    maps = draw(2, rows, columns)
    found = enlarge(maps, (height, width), stride=(stride, stride), patch=(patch, patch))
    for y in range(0, height, 3):
        for x in range(width):
            down, across = ((p + 0.5 - patch / 2) / stride for p in (y, x))
            lines = [interpolated(row.tolist(), across) for row in maps[1]]
            assert found[1, y, x] == pytest.approx(interpolated(lines, down), abs=1e-5)


def test_cells_tile_the_image_unless_told_otherwise():
    maps = draw(1, 4, 2)
    found = enlarge(maps, (20, 10))
    wanted = torch.nn.functional.interpolate(
        maps[None], size=(20, 10), mode="bilinear", align_corners=False
    )[0]
    assert torch.allclose(found, wanted, atol=1e-6)
    assert torch.allclose(enlarge(maps[:, :1, :1], (3, 2)), maps[0, 0, 0].expand(1, 3, 2))
