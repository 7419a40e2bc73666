"""Rates of so many pairs that products of their numbers do not fit into 64 bits."""

import torch

from promptreid.evaluation.verification.pair_ranks import _FilledBuckets, _find_eer_bucket
from promptreid.evaluation.verification.roc import GenuineRanks

MANY, MORE = 10**7, 10**9


def ranks(genuine: int, impostors: int) -> GenuineRanks:
    """Five scores of 60 genuine pairs and 900 impostors, so many times."""
    return GenuineRanks(
        torch.tensor([0.9, 0.8, 0.5, 0.3, 0.1]),
        genuine * torch.tensor([12, 30, 41, 55, 60]),
        impostors * torch.tensor([0, 20, 60, 400, 880]),
        impostors * torch.tensor([10, 30, 100, 460, 900]),
        impostors * 900,
    )


def test_rates_hang_on_shares_alone():
    few, many = ranks(1, 1), ranks(MANY, MORE)
    assert many.auc() == few.auc()
    assert many.eer() == few.eer()
    assert 0.1 < few.eer() < 0.4


def test_the_bucket_where_errors_are_equal_hangs_on_shares_alone():
    def find(genuine: int, impostors: int) -> int:
        filled = (
            impostors * torch.tensor([500, 300, 90, 10]),
            genuine * torch.tensor([3, 10, 20, 27]),
        )
        above = filled[0].sum() - filled[0].cumsum(0)
        return _find_eer_bucket(_FilledBuckets(torch.tensor([3, 5, 8, 9]), *filled, above))

    assert find(MANY, MORE) == find(1, 1) == 5
