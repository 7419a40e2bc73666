import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_batches import batches, few, mean, unit
from pytorch_metric_learning.losses import CircleLoss

from promptreid.losses.circle import circle_pairs


def naive(f, y, m, s):
    u, losses, rows = unit(f), [], range(len(f))
    for a in rows:
        pull = push = 0.0
        for j in rows:
            c = float(u[a] @ u[j])
            if j != a and y[j] == y[a]:
                pull += math.exp(-s * max(0.0, 1 + m - c) * (c - (1 - m)))
            if y[j] != y[a]:
                push += math.exp(s * max(0.0, c + m) * (c - m))
        if pull and push:
            losses.append(math.log1p(pull * push))
    return mean(losses)


@few
@given(batches, st.sampled_from([0.25, 0.4]), st.sampled_from([1.0, 8.0, 32.0]))
def test_equals_loops(batch, margin, scale):
    got = circle_pairs(*batch, margin=margin, scale=scale).item()
    assert got == pytest.approx(naive(*batch, margin, scale), rel=1e-3, abs=1e-5)


@few
@given(batches)
def test_agrees_with_pytorch_metric_learning(batch):
    theirs = CircleLoss(m=0.25, gamma=16)(*batch).item()
    assert circle_pairs(*batch, margin=0.25, scale=16.0).item() == pytest.approx(
        theirs, rel=1e-4, abs=1e-5
    )


def test_separated_identities_cost_nothing_and_confused_ones_much():
    f, y = torch.eye(4)[[0, 0, 1, 1]], torch.tensor([0, 0, 1, 1])
    assert circle_pairs(f, y).item() < 1e-3
    assert circle_pairs(f[[0, 2, 1, 3]], y).item() > 10
