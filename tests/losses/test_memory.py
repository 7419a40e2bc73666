import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_batches import batch_of, batches, few, mean, unit

from promptreid.config.losses import MemoryOptions
from promptreid.losses.loss_state import StateSetting
from promptreid.losses.memory import MemoryState, memory_loss
from promptreid.losses.ring import EMPTY, Ring

KINDS = ("supcon", "triplet", "pair")
OPTIONS = {"temperature": 0.1, "margin": 0.3}


def naive(f, y, kept, kept_labels, kind):
    u, k, rows = unit(f), unit(kept), [j for j in range(len(kept)) if kept_labels[j] != EMPTY]
    losses, pull, push = [], [], []
    for i in range(len(f)):
        c = {j: float(u[i] @ k[j]) for j in rows}
        own = [j for j in rows if kept_labels[j] == y[i]]
        others = [j for j in rows if kept_labels[j] != y[i]]
        pull += [(1 - c[j]) ** 2 / 2 for j in own]
        push += [(0.3 - 1 + c[j]) ** 2 / 2 for j in others if 1 - c[j] < 0.3]
        if kind == "supcon" and own:
            log_z = math.log(sum(math.exp(c[j] / 0.1) for j in rows))
            losses.append(-mean([c[j] / 0.1 - log_z for j in own]))
        if kind == "triplet" and own and others:
            farthest, nearest = max(1 - c[j] for j in own), min(1 - c[j] for j in others)
            losses.append(max(0.0, farthest - nearest + 0.3))
    return mean(pull) + mean(push) if kind == "pair" else mean(losses)


@few
@given(batches, batches, st.integers(0, 9), st.sampled_from(KINDS))
def test_equals_loops(batch, earlier, empty, kind):
    kept, kept_labels = earlier
    kept_labels = kept_labels.clone()
    kept_labels[:empty] = EMPTY
    got = memory_loss(*batch, kept, kept_labels, kind=kind, **OPTIONS).item()
    assert got == pytest.approx(naive(*batch, kept, kept_labels, kind), rel=1e-4, abs=1e-4)


@few
@given(st.integers(1, 7), st.lists(st.integers(1, 9), max_size=6))
def test_ring_keeps_the_latest(size, counts):
    ring, all_rows = Ring(size, 2), []
    for count in counts:
        rows = list(range(len(all_rows), len(all_rows) + count))
        all_rows += rows
        ring.add(torch.tensor([[n, -n] for n in rows]).float(), torch.tensor(rows))
    kept = ring.labels.tolist()
    latest = all_rows[-size:]
    assert sorted(kept) == sorted(latest + [EMPTY] * (size - len(latest)))
    for label, row in zip(kept, ring.features.tolist(), strict=True):
        assert row == ([0.0, 0.0] if label == EMPTY else [label, -label])


def state_of(**options):
    model = torch.nn.Identity()  # nothing of the model is read
    setting = StateSetting({"projected": 5}, 8, model, torch.Generator())
    return MemoryState(MemoryOptions(**OPTIONS, **options), setting)


def run(state, epochs, *, seed=0):
    """Return the loss of one batch per number in `epochs`."""
    found = []
    for number, epoch in enumerate(epochs):
        batch = batch_of([0, 0, 1, 2], seed + number)
        found.append(state.loss(*batch, epoch=epoch).item())
    return found


def test_fills_an_epoch_before_it_counts():
    state = state_of(size=16, start_epoch=3)
    assert run(state, [1]) == [0.0]
    assert (state.ring.labels == EMPTY).all()
    assert run(state, [2]) == [0.0]
    assert state.ring.labels[:4].tolist() == [0, 0, 1, 2]
    assert run(state, [3])[0] > 0


def test_compares_with_earlier_batches_only():
    state = state_of(size=16, start_epoch=1, kind="pair")
    assert run(state, [1]) == [0.0]  # nothing before the first batch
    earlier = copy.deepcopy(state.ring)
    batch = batch_of([0, 0, 1, 2], 1)
    got = state.loss(*batch, epoch=1).item()
    assert got == pytest.approx(naive(*batch, earlier.features[:4], earlier.labels, "pair"))


def test_remembers_once_and_only_in_training():
    state = state_of(size=16, start_epoch=1)
    run(state, [1, 1])
    assert int(state.ring.position) == 8
    run(state.eval(), [1, 1])
    assert int(state.ring.position) == 8


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_flows_to_the_batch_and_survives_the_new_entries(kind):
    state = state_of(size=8, start_epoch=1, kind=kind)
    run(state, [1])
    features, labels = batch_of([0, 1, 2, 3], 5)
    features.requires_grad_()
    state.loss(features, labels, epoch=1).backward()
    assert torch.isfinite(features.grad).all()
    assert features.grad[:3].norm() > 0
    assert not state.ring.features.requires_grad


@pytest.mark.parametrize("kind", KINDS)
def test_goes_on_the_same_after_a_resume(kind):
    epochs = [1, 1, 2, 2, 2, 3]
    whole = state_of(size=6, start_epoch=2, kind=kind)
    expected = run(whole, epochs)
    first = state_of(size=6, start_epoch=2, kind=kind)
    before = run(first, epochs[:3])
    saved = {name: tensor.clone() for name, tensor in first.state_dict().items()}
    second = state_of(size=6, start_epoch=2, kind=kind)
    second.load_state_dict(saved)
    assert before + run(second, epochs[3:], seed=3) == expected
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name])
