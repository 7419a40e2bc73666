import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_batches import batches, few, mean, unit

from promptreid.losses.pair_loss import pair_loss


def naive(f, y, margin, kind):
    u, pull, push = unit(f), [], []
    for i in range(len(f)):
        for j in range(i + 1, len(f)):
            d = 1 - float(u[i] @ u[j]) if kind == "cosine" else float((u[i] - u[j]).norm())
            if y[i] == y[j]:
                pull.append(d * d / 2)
            elif d < margin:
                push.append((margin - d) ** 2 / 2)
    return mean(pull) + mean(push)


@few
@given(batches, st.sampled_from([0.5, 1.0, 2.5]), st.sampled_from(["euclidean", "cosine"]))
def test_equals_loops(batch, margin, distance):
    got = pair_loss(*batch, margin=margin, distance=distance).item()
    assert got == pytest.approx(naive(*batch, margin, distance), abs=1e-4)


def test_size_of_the_features_does_not_matter():
    f, y = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.arange(6) // 2
    assert pair_loss(100 * f, y).item() == pytest.approx(pair_loss(f, y).item(), rel=1e-4)


@pytest.mark.parametrize(("labels", "grows"), [([0, 0], True), ([0, 1], False)])
def test_distance_costs_within_an_identity_and_pays_between_two(labels, grows):
    near = torch.tensor([[1.0, 0.0], [1.0, 0.1]])
    far = torch.tensor([[1.0, 0.0], [1.0, 0.5]])
    y = torch.tensor(labels)
    assert (pair_loss(far, y) > pair_loss(near, y)) == grows
