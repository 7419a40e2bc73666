"""Every loss over features must survive the batches that training meets at its worst."""

from functools import partial

import pytest
import torch

from promptreid.losses.batch_centers import compactness
from promptreid.losses.centers import center_loss
from promptreid.losses.circle import circle_pairs
from promptreid.losses.contrastive import clip_contrast, supcon, supcon_cross_modal
from promptreid.losses.memory import memory_loss
from promptreid.losses.moco import momentum_contrast
from promptreid.losses.pair_loss import pair_loss
from promptreid.losses.triplet import batch_hard_triplet, triplet_loss

KEPT, KEPT_LABELS = torch.eye(6, 8), torch.tensor([0, 1, 2, 0, -1, -1])

LOSSES = {
    "batch_hard": batch_hard_triplet,
    **{
        f"triplet_{mining}_{distance}_{margin}": partial(
            triplet_loss, mining=mining, distance=distance, margin=margin
        )
        for mining in ("hard", "semihard", "all")
        for distance in ("euclidean", "cosine")
        for margin in (0.3, None)
    },
    "circle": circle_pairs,
    "supcon": supcon,
    "supcon_cold": partial(supcon, temperature=0.01),
    "cross_modal": lambda f, y: supcon_cross_modal(f, KEPT[y] + 1, y, y),
    "clip": lambda f, y: clip_contrast(f, KEPT[y]),
    "pair": pair_loss,
    "pair_cosine": partial(pair_loss, distance="cosine"),
    "compact": compactness,
    "center": lambda f, y: center_loss(f, y, KEPT),
    **{
        f"memory_{kind}": lambda f, y, kind=kind: memory_loss(f, y, KEPT, KEPT_LABELS, kind=kind)
        for kind in ("supcon", "triplet", "pair")
    },
    **{
        f"memory_{kind}_empty": lambda f, y, kind=kind: memory_loss(
            f, y, KEPT, torch.full((6,), -1), kind=kind
        )
        for kind in ("supcon", "triplet", "pair")
    },
    "moco": lambda f, y: momentum_contrast(f, f.detach().roll(1, 0), y, KEPT, KEPT_LABELS),
}

RANDOM = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
BATCHES = {
    "usual": (RANDOM, [0, 0, 1, 1, 2, 2]),
    "duplicates": (RANDOM[[0, 0, 0, 1, 1, 1]], [0, 0, 1, 1, 2, 2]),
    "collapsed": (torch.ones(6, 8), [0, 0, 1, 1, 2, 2]),
    "zeros": (torch.zeros(6, 8), [0, 0, 1, 1, 2, 2]),
    "huge": (1e4 * RANDOM, [0, 0, 1, 1, 2, 2]),
    "one identity": (RANDOM, [0] * 6),
    "all alone": (RANDOM, [0, 1, 2, 3, 4, 5]),
    "one image": (RANDOM[:1], [0]),
    "opposite": (torch.cat([RANDOM[:3], -RANDOM[:3]]), [0, 1, 2, 0, 1, 2]),
}


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", LOSSES)
def test_loss_and_gradient_are_finite(name, batch, kind):
    values, labels = BATCHES[batch]
    features = values.to(kind, copy=True).requires_grad_()
    loss = LOSSES[name](features, torch.tensor(labels))
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.shape == ()
    assert loss.item() >= -1e-5
    assert torch.isfinite(loss)
    assert torch.isfinite(features.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_is_computed_in_float32_under_autocast(name):
    values, labels = BATCHES["usual"]
    features, y = values.bfloat16(), torch.tensor(labels)
    expected = LOSSES[name](features.float(), y)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = LOSSES[name](features, y)
    assert torch.equal(got, expected)


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {n for n in LOSSES if "empty" in n}))
def test_has_gradient_on_a_usual_batch(name):
    values, labels = BATCHES["usual"]
    features = values.clone().requires_grad_()
    LOSSES[name](features, torch.tensor(labels)).backward()
    assert features.grad.norm() > 1e-4
