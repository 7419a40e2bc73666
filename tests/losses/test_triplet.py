import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_batches import batches, few, mean, unit
from pytorch_metric_learning.distances import CosineSimilarity, LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import TripletMarginMiner

from promptreid.losses.triplet import batch_hard_triplet, triplet_loss

MARGINS = st.sampled_from([0.3, 1.5, None])
DISTANCES = st.sampled_from(["euclidean", "cosine"])


def distance_of(kind):
    if kind == "cosine":
        return lambda a, b: 1 - float(unit(a) @ unit(b))
    return lambda a, b: float((a.double() - b.double()).norm())


def penalty(x, margin):
    return math.log1p(math.exp(x)) if margin is None else max(0.0, x + margin)


def naive_hard(f, y, margin, kind="euclidean"):
    d, losses = distance_of(kind), []
    for a in range(len(f)):
        positives = [d(f[a], f[p]) for p in range(len(f)) if y[p] == y[a]]
        negatives = [d(f[a], f[n]) for n in range(len(f)) if y[n] != y[a]]
        if negatives:
            losses.append(penalty(max(positives) - min(negatives), margin))
    return mean(losses)


def naive_mined(f, y, margin, kind, mining):
    d, losses, rows = distance_of(kind), [], range(len(f))
    for a in rows:
        for p in rows:
            for n in rows:
                if a == p or y[p] != y[a] or y[n] == y[a]:
                    continue
                x = d(f[a], f[p]) - d(f[a], f[n])
                if mining == "semihard" and x >= 0:
                    continue
                if margin is None or x + margin > 0:
                    losses.append(penalty(x, margin))
    return mean(losses)


@few
@given(batches, MARGINS, DISTANCES)
def test_hard_equals_loops(batch, margin, distance):
    got = triplet_loss(*batch, margin=margin, distance=distance).item()
    assert got == pytest.approx(naive_hard(*batch, margin, distance), abs=2e-3)


@few
@given(batches, MARGINS, DISTANCES, st.sampled_from(["semihard", "all"]))
def test_semihard_and_all_equal_loops(batch, margin, distance, mining):
    got = triplet_loss(*batch, margin=margin, distance=distance, mining=mining).item()
    assert got == pytest.approx(naive_mined(*batch, margin, distance, mining), abs=1e-4)


@few
@given(batches, st.sampled_from(["semihard", "all"]), DISTANCES)
def test_semihard_and_all_agree_with_pytorch_metric_learning(batch, mining, distance):
    metric = (
        CosineSimilarity() if distance == "cosine" else LpDistance(normalize_embeddings=False, p=2)
    )
    miner = TripletMarginMiner(margin=0.4, type_of_triplets=mining, distance=metric)
    theirs = TripletMarginLoss(margin=0.4, distance=metric)(*batch, miner(*batch))
    got = triplet_loss(*batch, margin=0.4, mining=mining, distance=distance)
    assert got.item() == pytest.approx(theirs.item(), abs=1e-4)


@few
@given(batches)
def test_batch_hard_is_the_default(batch):
    ours = batch_hard_triplet(*batch)
    assert torch.equal(ours, triplet_loss(*batch))


def test_a_known_batch():
    features = torch.tensor([[0.0], [1.0], [1.2], [4.0]])
    labels = torch.tensor([0, 0, 1, 1])
    # d(a, p) - d(a, n) of (0,1): 1-1.2, 1-4; (1,0): 1-.2, 1-3; (2,3): 2.8-1.2, 2.8-.2;
    # (3,2): 2.8-4, 2.8-3.
    hard = [0.1, 1.1, 2.9, 0.1]
    assert triplet_loss(features, labels).item() == pytest.approx(mean(hard), abs=1e-5)
    semihard = triplet_loss(features, labels, mining="semihard").item()
    assert semihard == pytest.approx(mean([0.1, 0.1]), abs=1e-5)
    everything = triplet_loss(features, labels, mining="all").item()
    assert everything == pytest.approx(mean([0.1, 1.1, 1.9, 2.9, 0.1]), abs=1e-5)


def test_one_identity_gives_zero_and_finite_gradient():
    features = torch.randn(4, 3, requires_grad=True)
    loss = batch_hard_triplet(features, torch.zeros(4, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(features.grad).all()
