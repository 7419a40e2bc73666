from __future__ import annotations

import pytest
import torch

from promptreid.evaluation.ranking import counting
from promptreid.evaluation.ranking.counting import count_reaching
from promptreid.torch_threads import torch_threads


def plain_counts(rows, values):
    return torch.stack([(rows >= values[:, [place]]).sum(1) for place in range(values.shape[1])], 1)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("lowest", [-3.0, 0.0, 2.5])
def test_counts_equal_comparisons_whether_few_or_most_entries_reach(lowest, threads):
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(23, 400, generator=generator)
    values = lowest + torch.rand(23, 7, generator=generator)
    values[:, 3:] = rows[:, 10:14]  # values that entries equal
    values[5], values[6, :4] = torch.inf, torch.inf
    rows[8, ::3] = -torch.inf
    values[9, 0] = -torch.inf
    with torch_threads(threads):
        found = count_reaching(rows, values)
    assert found.dtype == torch.int64
    assert torch.equal(found, plain_counts(rows, values))
    assert found[5].eq(0).all()
    assert found[9, 0] == 400


def test_parts_of_a_block_are_put_back_in_their_places(monkeypatch):
    monkeypatch.setattr(counting, "_PART", 150)
    generator = torch.Generator().manual_seed(2)
    rows = torch.randn(11, 70, generator=generator)  # parts of 2, 2, 2, 2, 2 and 1
    values = torch.rand(11, 4, generator=generator) * 4 - 1
    assert torch.equal(count_reaching(rows, values), plain_counts(rows, values))


def test_ties_and_both_zeros_count():
    rows = torch.tensor([[0.0, -0.0, 1.0, 1.0, -1.0]])
    assert count_reaching(rows, torch.tensor([[0.0, -0.0, 1.0]])).tolist() == [[4, 4, 2]]


def test_rows_and_values_stay_as_they_are():
    rows = torch.randn(4, 50, generator=torch.Generator().manual_seed(1))
    values = rows[:, :3].clone()
    copies = rows.clone(), values.clone()
    count_reaching(rows, values)
    assert torch.equal(rows, copies[0])
    assert torch.equal(values, copies[1])


@pytest.mark.parametrize(("rows", "values"), [((0, 5), (0, 2)), ((3, 5), (3, 0)), ((2, 0), (2, 3))])
def test_nothing_to_count(rows, values):
    found = count_reaching(torch.zeros(rows), torch.zeros(values))
    assert found.shape == values
    assert not found.any()
