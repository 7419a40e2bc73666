import pytest
import torch

from promptreid.errors import ModelError, WeightsError
from promptreid.models.towers.position_embeddings import count_patches, resize_positions


@pytest.mark.parametrize(
    ("size", "stride", "grid"),
    [
        ((256, 128), 16, (16, 8)),
        ((256, 128), 12, (21, 10)),
        ((256, 256), 16, (16, 16)),
        ((256, 256), 12, (21, 21)),
        ((16, 16), 16, (1, 1)),
        ((17, 40), 1, (2, 25)),
    ],
)
def test_grid_of_the_published_sizes(size, stride, grid):
    assert count_patches(size, patch=16, stride=stride) == grid


@pytest.mark.parametrize(
    ("size", "stride", "words"),
    [((256, 128), 17, "between 1 and 16"), ((256, 128), 0, "between"), ((8, 128), 16, "smaller")],
)
def test_impossible_grids_are_refused(size, stride, words):
    with pytest.raises(ModelError, match=words):
        count_patches(size, patch=16, stride=stride)


def naive_bilinear(grid, rows, columns):
    """Sample at the centres of the new cells, edges repeated."""
    old_rows, old_columns, width = grid.shape
    out = torch.zeros(rows, columns, width)
    for row in range(rows):
        for column in range(columns):
            y = min(max((row + 0.5) * old_rows / rows - 0.5, 0), old_rows - 1)
            x = min(max((column + 0.5) * old_columns / columns - 0.5, 0), old_columns - 1)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, old_rows - 1), min(left + 1, old_columns - 1)
            fy, fx = y - top, x - left
            upper = grid[top, left] * (1 - fx) + grid[top, right] * fx
            lower = grid[bottom, left] * (1 - fx) + grid[bottom, right] * fx
            out[row, column] = upper * (1 - fy) + lower * fy
    return out


@pytest.mark.parametrize("new", [(16, 8), (3, 5), (7, 7)])
@pytest.mark.parametrize("prefix", [0, 1, 2])
def test_resize_is_plain_bilinear_and_keeps_the_prefix(new, prefix):
    positions = torch.randn(prefix + 49, 6, generator=torch.Generator().manual_seed(0))
    resized = resize_positions(positions, new, prefix=prefix)
    expected = naive_bilinear(positions[prefix:].reshape(7, 7, 6), *new).reshape(-1, 6)
    assert resized.shape == (prefix + new[0] * new[1], 6)
    assert torch.equal(resized[:prefix], positions[:prefix])
    assert torch.allclose(resized[prefix:], expected, atol=1e-5)


def test_resize_reads_an_old_grid_that_is_not_square():
    positions = torch.arange(1 + 2 * 8, dtype=torch.float32)[:, None]
    resized = resize_positions(positions, (1, 8), old_grid=(2, 8))
    assert resized.flatten().tolist() == [0, *(column + 5.0 for column in range(8))]


def test_a_grid_of_unknown_shape_is_refused():
    with pytest.raises(WeightsError, match="not a square grid"):
        resize_positions(torch.zeros(1 + 15, 4), (4, 4))
