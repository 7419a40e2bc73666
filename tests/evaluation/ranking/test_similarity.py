from __future__ import annotations

import math

import pytest
import torch

from promptreid.evaluation.ranking import similarity
from promptreid.evaluation.ranking.similarity import block_rows, similarity_blocks
from promptreid.evaluation.reranking.nearest_neighbours import nearest_columns, nearest_neighbours


def units(count, dim, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(count, dim, generator=generator), dim=1)


@pytest.mark.parametrize("block", [None, 1, 16, 40, 64])
def test_blocks_cover_every_query_once(block):
    query, gallery = units(75, 33, 0), units(210, 33, 1)
    whole = query.double() @ gallery.double().T
    after = 0
    for rows, values in similarity_blocks(query, gallery, block=block):
        assert rows.start == after
        assert values.shape == (rows.stop - rows.start, 210)
        assert torch.allclose(values.double(), whole[rows], atol=1e-6)
        after = rows.stop
    assert after == 75


def test_a_block_stays_small_whatever_the_gallery():
    for gallery in (1, 100, 15_913, 1_000_000):
        rows = block_rows(gallery)
        assert rows % 16 == 0
        assert 64 <= rows <= 1024
        assert rows == 64 or rows * gallery <= 2**22
    assert block_rows(500, 50) == 48
    assert block_rows(500, 3) == 16


@pytest.mark.parametrize("count", [1, 5, 21, 200])
def test_neighbours_equal_a_stable_sort(count):
    vectors = units(90, 7, 2)
    vectors[40:60] = vectors[7]
    vectors[60:63] = vectors[0:3]
    near = nearest_neighbours(vectors, count, block=32)
    cosine = (vectors.double() @ vectors.double().T).numpy().round(12)
    expected = (-torch.from_numpy(cosine)).argsort(dim=1, stable=True)[:, :count]
    assert torch.equal(near.index, expected)
    farthest = 2 - 2 * torch.from_numpy(cosine).amin(1)
    assert torch.allclose(near.farthest.double(), farthest, atol=1e-6)


@pytest.mark.parametrize("levels", [3, 40, 10_000])
@pytest.mark.parametrize("columns", [700, 1000, 4097])
def test_columns_compared_in_groups_equal_a_stable_sort(columns, levels):
    count = 5
    assert math.isqrt(columns // (count + 1)) >= 8  # enough for groups
    generator = torch.Generator().manual_seed(columns)
    rows = torch.randint(levels, (50, columns), generator=generator).float()
    rows[0] = 1.0
    rows[1, -3:] = levels + 1.0  # beyond the last whole step of the groups
    rows[2, :7] = levels + 1.0
    rows[3, :-2] = -torch.inf
    expected = rows.argsort(dim=1, descending=True, stable=True)[:, :count]
    assert torch.equal(nearest_columns(rows, count), expected)


def test_the_public_product_gives_the_same_values(monkeypatch):
    query, gallery = units(40, 65, 3), units(130, 65, 4)
    direct = torch.cat([values for _, values in similarity_blocks(query, gallery)])
    monkeypatch.setattr(similarity, "_direct_product", lambda: None)
    public = torch.cat([values for _, values in similarity_blocks(query, gallery)])
    assert torch.allclose(direct, public, atol=1e-6)


def test_a_torch_without_the_direct_product_is_no_failure(monkeypatch):
    def missing(*_):
        raise AttributeError("no such operator")

    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", missing)
    similarity._direct_product.cache_clear()
    try:
        assert similarity._direct_product() is None
        test_blocks_cover_every_query_once(None)
    finally:
        similarity._direct_product.cache_clear()
