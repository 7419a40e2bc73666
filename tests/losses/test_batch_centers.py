import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_batches import batches, few, mean, unit

from promptreid.losses.batch_centers import compactness


def naive(f, y, margin):
    u, y = unit(f), y.tolist()
    members = {i: [u[k] for k in range(len(y)) if y[k] == i] for i in set(y)}
    centers = {i: sum(rows) / len(rows) for i, rows in members.items()}
    pull = [
        float((row - centers[i]).norm()) ** 2
        for i, rows in members.items()
        if len(rows) > 1
        for row in rows
    ]
    gaps = [float((centers[i] - centers[j]).norm()) for i in centers for j in centers if i < j]
    return mean(pull) + mean([(margin - gap) ** 2 for gap in gaps if gap < margin])


@few
@given(batches, st.sampled_from([0.0, 0.3, 1.5]))
def test_equals_loops(batch, margin):
    assert compactness(*batch, margin=margin).item() == pytest.approx(
        naive(*batch, margin), abs=1e-4
    )


def test_descent_brings_images_together_and_centers_apart():
    g = torch.Generator().manual_seed(0)
    features = (torch.ones(8, 6) + 0.3 * torch.randn(8, 6, generator=g)).requires_grad_()
    labels = torch.arange(8) // 4
    before = compactness(features, labels, margin=1.0).item()
    for _ in range(200):
        (gradient,) = torch.autograd.grad(compactness(features, labels, margin=1.0), features)
        features.data -= 0.5 * gradient
    u = unit(features.detach())
    assert before > 0.1
    assert (u[:4].mean(0) - u[4:].mean(0)).norm() > 0.95
    assert (u[:4] - u[:4].mean(0)).norm(dim=1).max() < 0.05
