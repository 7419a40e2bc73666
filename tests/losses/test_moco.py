import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_batches import batch_of, few, mean, unit
from small_heads import small_head
from small_models import RESNET, VIT, small_backbone, tower_widths
from small_prompts import identity_prompt

from promptreid.config.losses import LossTerms, MoCoOptions
from promptreid.config.model import LoraConfig, MlpConfig, VisualPromptConfig
from promptreid.losses.loss_state import StateSetting
from promptreid.losses.moco import MoCoState, momentum_contrast
from promptreid.losses.ring import EMPTY
from promptreid.losses.terms import build_states
from promptreid.models.reid import ReIDModel
from promptreid.models.sie import SideInformation
from promptreid.models.tuning.tuning import attach_tuning

WIDTH = 16


def naive(q, k, y, queue, queue_labels, t):
    everything = torch.cat([k, queue])
    labels = [*y.tolist(), *queue_labels.tolist()]
    losses = []
    for i in range(len(q)):
        score = [float(unit(q[i]) @ unit(row)) / t for row in everything]
        negatives = [j for j in range(len(score)) if labels[j] not in (labels[i], EMPTY)]
        log_z = math.log(math.exp(score[i]) + sum(math.exp(score[j]) for j in negatives))
        losses.append(log_z - score[i])
    return mean(losses)


@few
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=6),
    st.lists(st.integers(-1, 6), max_size=6),
    st.integers(0, 1000),
)
def test_equals_loops(labels, queued, seed):
    queries, y = batch_of(labels, seed)
    keys, _ = batch_of(labels, seed + 1)
    queue = torch.randn(len(queued), 5, generator=torch.Generator().manual_seed(seed))
    queue_labels = torch.tensor(queued, dtype=torch.int64)
    got = momentum_contrast(queries, keys, y, queue, queue_labels, temperature=0.2).item()
    assert got == pytest.approx(
        naive(queries, keys, y, queue, queue_labels, 0.2), rel=1e-4, abs=1e-5
    )


@pytest.fixture(scope="module")
def base():
    return build(VIT)


def build(vision):
    backbone = small_backbone(vision)
    widths = tower_widths(backbone.image)
    head = small_head(widths, 0, mlp=MlpConfig(of="final", width=WIDTH))
    prompt = identity_prompt(backbone, 3)
    model = ReIDModel(backbone, prompt=prompt, head=head)
    model.learn(["image", "head"])
    return model


@pytest.fixture
def model(base):
    return copy.deepcopy(base)


def views(seed, count=3):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(2 * count, 3, 64, 64, generator=g), torch.arange(count).repeat(2)


def state_of(model, **options):
    values = {"size": 8, "momentum": 0.9, "temperature": 0.2} | options
    setting = StateSetting({"mlp": WIDTH}, 0, model, torch.Generator())
    return MoCoState(MoCoOptions(**values), setting)


def queries_of(model, images):
    return model.derived(model.features(images))["mlp"]


def test_both_directions_are_averaged(model):
    state = state_of(model)
    images, labels = views(0)
    with torch.no_grad():
        queries = queries_of(model, images)
        got = state.loss(queries, images, labels).item()
    empty, none = torch.zeros(0, WIDTH), torch.zeros(0, dtype=torch.int64)
    own = labels[:3]
    expected = [
        naive(queries[:3], queries[3:], own, empty, none, 0.2),  # the copy still equals the model
        naive(queries[3:], queries[:3], own, empty, none, 0.2),
    ]
    assert got == pytest.approx(mean(expected), rel=1e-3)


def test_the_copy_follows_with_momentum(model):
    state = state_of(model)
    before = {n: p.clone() for n, p in state.encoder.named_parameters()}
    g = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.01 * torch.randn(parameter.shape, generator=g)
    sources = dict(model.named_parameters())
    state.after_step(model)
    for name, parameter in state.encoder.named_parameters():
        assert torch.allclose(parameter, 0.9 * before[name] + 0.1 * sources[name], atol=1e-6)
    assert any(name.startswith("head.mlp") for name in before)
    assert any(name.startswith("backbone.image") for name in before)


def test_the_copy_has_no_text_side_and_no_gradient(model):
    state = state_of(model)
    names = list(state.state_dict())
    assert not [name for name in names if "text" in name or "prompt" in name]
    assert not any(p.requires_grad for p in state.parameters())
    assert model.backbone.text.state_dict()  # the model keeps its own
    assert any(p.requires_grad for p in model.parameters())
    own = {p.data_ptr() for p in model.parameters()}
    assert not own & {p.data_ptr() for p in state.parameters()}


def test_gradient_flows_through_the_queries(model):
    state = state_of(model)
    for number in range(2):  # the second time with a queue
        images, labels = views(number)
        model.zero_grad()
        state.loss(queries_of(model, images), images, labels).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    assert model.backbone.image.conv1.weight.grad.norm() > 0
    assert all(p.grad.norm() > 0 for p in model.head.mlp.parameters())


def test_the_queue_holds_keys_of_earlier_batches(model):
    state = state_of(model, size=10)
    images, labels = views(0)
    with torch.no_grad():
        state.loss(queries_of(model, images), images, labels)
        assert state.queue.labels.tolist() == [0, 1, 2, 0, 1, 2, *[EMPTY] * 4]
        keys = state.queue.features[:6]
        expected = torch.nn.functional.normalize(queries_of(model, images), dim=1)
        assert torch.allclose(keys, expected, atol=1e-5)
        before = copy.deepcopy(state.queue)
        images, labels = views(1)
        labels = labels + 10
        queries = queries_of(model, images)
        got = state.loss(queries, images, labels).item()
    expected = [
        naive(queries[v], queries[o], labels[v], before.features, before.labels, 0.2)
        for v, o in ((slice(0, 3), slice(3, 6)), (slice(3, 6), slice(0, 3)))
    ]
    assert got == pytest.approx(mean(expected), rel=1e-3)


def test_works_without_a_queue(model):
    state = state_of(model, size=0)
    images, labels = views(0)
    loss = state.loss(queries_of(model, images), images, labels)
    assert 0 < loss.item() < 10
    assert len(state.queue.labels) == 0


def test_modes_of_the_model_are_the_copys():
    model = build(RESNET)
    model.eval()
    model.backbone.image.train()
    state = state_of(model)
    assert state.encoder.backbone.image.training
    assert not state.encoder.head.training
    model.head.train()
    model.backbone.image.eval()
    state.after_step(model)
    assert not state.encoder.backbone.image.training
    assert state.encoder.head.training


def steps(model, states, numbers):
    """Train a little and return the losses."""
    state, found = states["moco"], []
    learning = [p for p in model.parameters() if p.requires_grad]
    for number in numbers:
        images, labels = views(number)
        loss = state.loss(queries_of(model, images), images, labels + number)
        gradients = torch.autograd.grad(loss, learning, allow_unused=True)
        with torch.no_grad():
            for parameter, gradient in zip(learning, gradients, strict=True):
                if gradient is not None:
                    parameter -= 0.01 * gradient
        state.after_step(model)
        found.append(loss.item())
    return found


@pytest.mark.parametrize("vision", [VIT, RESNET], ids=["vit", "resnet"])
def test_goes_on_the_same_after_a_resume(vision):
    terms = LossTerms.model_validate({"moco": {"weight": 1, "momentum": 0.9, "size": 9}})

    def fresh(model):
        return build_states(terms, StateSetting(model.widths, 0, model, torch.Generator()))

    start = build(vision)
    start.backbone.image.train()
    whole, first = copy.deepcopy(start), copy.deepcopy(start)
    expected = steps(whole, fresh(whole), range(4))
    states = fresh(first)
    before = steps(first, states, range(2))
    saved = {name: tensor.clone() for name, tensor in states.state_dict().items()}
    resumed = fresh(first)
    resumed.load_state_dict(saved)
    assert before + steps(first, resumed, range(2, 4)) == expected


def test_copies_a_tuned_tower_with_side_information():
    backbone = small_backbone(VIT)
    attach_tuning(
        backbone.image,
        visual_prompt=VisualPromptConfig(),
        lora=LoraConfig(),
        generator=torch.Generator().manual_seed(0),
    )
    widths = tower_widths(backbone.image)
    sie = SideInformation(cameras=2, width=widths["final"])
    model = ReIDModel(backbone, head=small_head(widths, 0, mlp=MlpConfig(width=WIDTH)), sie=sie)
    learning = model.learn(["lora", "visual_prompt"])
    state = state_of(model)
    images, labels = views(0)
    cameras = torch.tensor([0, 1, 0, 1, 0, 1])
    queries = model.derived(model.features(images, cameras))["mlp"]
    state.loss(queries, images, labels).backward()
    before = dict(state.encoder.named_parameters())
    before = {name: before[name].clone() for name in learning}
    with torch.no_grad():
        for parameter in learning.values():
            parameter += 1
    state.after_step(model)
    for name, parameter in state.encoder.named_parameters():
        if name in learning:
            assert torch.allclose(parameter, before[name] + 0.1, atol=1e-5)
    assert any("lora" in n or "parametrizations" in n for n in learning)
