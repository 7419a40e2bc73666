"""Random batches for naive oracles: any mix of identities, also with one image, also one image."""

from __future__ import annotations

import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

few = settings(max_examples=40, deadline=None)


def batch_of(labels: list[int], seed: int) -> tuple[Tensor, Tensor]:
    """Return (N, 5) features around a point of each identity, and the labels."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(8, 5, generator=generator)
    noise = torch.randn(len(labels), 5, generator=generator)
    return points[labels] + noise, torch.tensor(labels)


batches = st.builds(
    batch_of,
    st.lists(st.integers(0, 4), min_size=1, max_size=9),
    st.integers(0, 2**31 - 1),
)


def unit(vector: Tensor) -> Tensor:
    """Return a vector or rows in float64 at length 1."""
    return vector.double() / vector.double().norm(dim=-1, keepdim=True)


def mean(values: list[float]) -> float:
    """Return the mean; zero for none."""
    return sum(values) / len(values) if values else 0.0
