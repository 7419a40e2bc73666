from __future__ import annotations

import pytest
import torch

from promptreid.evaluation.metrics import METRICS
from promptreid.evaluation.ranking.ranks import RankedMatches, cumulative_matches, match_ranks


def test_ranks_count_closer_kept_images():
    similarity = torch.tensor([[0.9, -torch.inf, 0.5, 0.7, 0.5], [0.1, 0.2, 0.3, 0.4, 0.5]])
    index = torch.tensor([[4, 2, 1], [0, 0, 0]])
    match = torch.tensor([[True, True, False], [True, False, False]])
    ranks = match_ranks(similarity, index, match)
    # Columns 2 and 4 are equal: the lower one is closer. Column 1 is left out.
    assert ranks.tolist() == [[3, 4, 0], [5, 0, 0]]


def test_ties_by_the_thousand_equal_a_stable_sort():
    generator = torch.Generator().manual_seed(0)
    similarity = torch.randint(0, 3, (40, 700), generator=generator).float()
    similarity[:3] = 1.0
    index = torch.stack([torch.randperm(700, generator=generator)[:25] for _ in range(40)])
    match = torch.rand(40, 25, generator=generator) < 0.7
    order = similarity.argsort(dim=1, descending=True, stable=True)
    place = torch.empty_like(order).scatter_(1, order, torch.arange(700).expand(40, -1)) + 1
    expected = place.gather(1, index).masked_fill(~match, 1000).sort(dim=1).values
    assert torch.equal(
        match_ranks(similarity, index, match), expected.masked_fill(expected == 1000, 0)
    )


@pytest.mark.parametrize(
    ("ranks", "step", "trapezoid", "inp"),
    [
        ([1], 1.0, 1.0, 1.0),
        ([2], 0.5, 0.25, 0.5),
        ([7], 1 / 7, 1 / 14, 1 / 7),
        ([1, 2, 3], 1.0, 1.0, 1.0),
        ([1, 4], (1 + 2 / 4) / 2, (1 + (1 / 3 + 2 / 4) / 2) / 2, 2 / 4),
        ([2, 3, 0], (1 / 2 + 2 / 3) / 2, ((0 + 1 / 2) / 2 + (1 / 2 + 2 / 3) / 2) / 2, 2 / 3),
    ],
)
def test_average_precision_by_hand(ranks, step, trapezoid, inp):
    matches = RankedMatches(torch.tensor([ranks]), "trapezoid")
    expected = {"mAP": trapezoid, "mAP_step": step, "mAP_trapezoid": trapezoid, "mINP": inp}
    for name, value in expected.items():
        assert METRICS[name].per_query(matches).item() == pytest.approx(value), name


def test_no_match_is_not_a_number():
    matches = RankedMatches(torch.zeros(1, 3, dtype=torch.int64))
    for name in ("mAP", "mAP_step", "mAP_trapezoid", "mINP"):
        assert METRICS[name].per_query(matches).isnan().all(), name


def test_curve_leaves_out_queries_without_match_and_goes_on_beyond_the_gallery():
    curve = cumulative_matches(torch.tensor([1, 0, 3, 3, 99]), max_rank=6)
    assert curve.tolist() == [0.25, 0.25, 0.75, 0.75, 0.75, 0.75]
