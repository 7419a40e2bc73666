"""The choice of hard images against a double loop."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from promptreid.training.batches.hardest import hardest_rows, hardness


def naive(vectors, labels):
    found = []
    for i in range(len(labels)):
        strangers, own = [-1.0], [1.0]
        for j in range(len(labels)):
            s = float(vectors[i] @ vectors[j])
            if labels[j] != labels[i]:
                strangers.append(s)
            elif j != i:
                own.append(s)
        found.append(max(strangers) - min(own))
    return torch.tensor(found)


@given(seed=st.integers(0, 10_000), count=st.integers(2, 30), classes=st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_equals_the_double_loop(seed, count, classes):
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.nn.functional.normalize(torch.randn(count, 5, generator=generator), dim=1)
    labels = torch.randint(classes, (count,), generator=generator)
    torch.testing.assert_close(hardness(vectors, labels), naive(vectors, labels), atol=1e-6, rtol=0)


def test_blocks_do_not_change_the_answer(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn(50, 8, generator=generator), dim=1)
    labels = torch.arange(50) % 7
    whole = hardness(vectors, labels)
    monkeypatch.setattr("promptreid.training.batches.hardest._BLOCK", 16)
    torch.testing.assert_close(hardness(vectors, labels), whole)


def test_keeps_the_share_in_order():
    generator = torch.Generator().manual_seed(1)
    vectors = torch.nn.functional.normalize(torch.randn(20, 8, generator=generator), dim=1)
    labels = torch.arange(20) % 5
    rows = hardest_rows(vectors, labels, 0.3)
    assert rows.dtype == np.int64
    assert len(rows) == 6
    assert list(rows) == sorted(rows)
    worth = naive(vectors, labels)
    others = [i for i in range(20) if i not in rows]
    assert worth[rows].min() >= worth[others].max()


@pytest.mark.parametrize("share", [0.001, 1.0])
def test_ends_of_the_share(share):
    vectors, labels = torch.eye(4), torch.tensor([0, 0, 1, 1])
    assert len(hardest_rows(vectors, labels, share)) == (1 if share < 0.5 else 4)
