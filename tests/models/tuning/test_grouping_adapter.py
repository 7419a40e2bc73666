import copy
import functools
import itertools
import json

import pytest
import torch
from pydantic import ValidationError
from small_models import RESNET, VIT, small_architecture, small_backbone, take_over
from torch import nn
from torch.nn import functional as F

from promptreid.config.model import AdapterConfig, LoraConfig, VisualPromptConfig
from promptreid.errors import ModelError
from promptreid.models.reid import ReIDModel
from promptreid.models.tuning.gates import GATES
from promptreid.models.tuning.grouping_adapter import SemanticGroupingAdapter
from promptreid.models.tuning.tuning import attach_tuning

FEATURES = ("penultimate", "final", "projected")
CLASS_TOKENS = ("mean", "all", "before", "pooled")
VISIONS = {
    "clip": VIT,
    "average": VIT | {"pool_type": "avg"},
    "norm after pool": VIT | {"pool_type": "avg", "final_ln_after_pool": True},
    "one block": VIT | {"layers": 1},
    "resnet": RESNET,
}


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@functools.cache
def built(vision):
    return small_backbone(json.loads(vision)).image


def plain_tower(vision=VIT):
    tower = copy.deepcopy(built(json.dumps(vision)))  # much faster than building it again
    for name, parameter in tower.named_parameters():
        if name.endswith("bn3.weight"):  # zero in a fresh ResNet: its layers would do nothing
            nn.init.ones_(parameter)
    return tower


def tower_of(vision=VIT, *, scramble=False, lora=None, prompt=None, **options):
    """A tower with an adapter; scrambled ones have learned something."""
    tower = plain_tower(vision)
    attach_tuning(
        tower, visual_prompt=prompt, lora=lora, adapter=AdapterConfig(**{"groups": 8} | options)
    )
    if scramble:
        randomize(tower.adapter)
    return tower.eval()


def without(tower):
    tower.remove_addition("adapter")
    return tower


def randomize(module):
    with torch.no_grad():
        for number, parameter in enumerate(module.parameters()):
            parameter.add_(0.3 * draw(*parameter.shape, seed=number + 1))
    return module


def adapter_of(width=24, *, scramble=True, **options):
    adapter = SemanticGroupingAdapter(
        AdapterConfig(**{"groups": 4, "ratio": 3} | options),
        width,
        generator=torch.Generator().manual_seed(0),
    )
    return randomize(adapter) if scramble else adapter


@pytest.mark.parametrize(
    ("width", "groups", "count"), [(768, 32, 115_282), (768, 8, 225_850), (2048, 32, 798_882)]
)
def test_number_of_parameters(width, groups, count):
    adapter = SemanticGroupingAdapter(
        AdapterConfig(groups=groups), width, generator=torch.Generator().manual_seed(0)
    )
    assert sum(parameter.numel() for parameter in adapter.parameters()) == count


@torch.no_grad()
@pytest.mark.parametrize(
    ("vision", "rule"),
    [(name, rule) for name in VISIONS for rule in ("mean", "all", "before") if name != "resnet"]
    + [("resnet", "mean")],
)
def test_a_fresh_adapter_leaves_every_feature_as_it_is_to_the_bit(vision, rule):
    tower, images = plain_tower(VISIONS[vision]).eval(), draw(3, 3, 64, 64)
    plain = [tower(images, tokens=tokens) for tokens in (False, True)]
    for gate, fusion in itertools.product(GATES, ("global", "group")):
        options = {"groups": 8, "gate": gate, "fusion": fusion, "class_token": rule}
        tower.put_addition(
            "adapter",
            SemanticGroupingAdapter(
                AdapterConfig(**options),
                tower.widths[1],
                generator=torch.Generator().manual_seed(0),
            ),
        )
        for tokens, expected in enumerate(plain):
            adapted = tower(images, tokens=bool(tokens))
            for name in FEATURES:
                assert torch.equal(adapted[name], expected[name]), (name, options)
            if tokens:
                assert torch.equal(adapted.tokens, expected.tokens)
                assert torch.equal(adapted.before, expected.before)


def test_gradients_of_the_tower_are_those_without_a_fresh_adapter():
    found = []
    for adapted in (True, False):
        tower = tower_of()
        tower = tower if adapted else without(tower)
        tower(draw(3, 3, 64, 64)).projected.square().sum().backward()
        named = {n: p.grad for n, p in tower.named_parameters() if not n.startswith("adapter")}
        found.append({name: gradient for name, gradient in named.items() if gradient is not None})
    assert found[0].keys() == found[1].keys()
    for name, gradient in found[1].items():
        scale = gradient.abs().max()
        torch.testing.assert_close(found[0][name] / scale, gradient / scale, atol=1e-4, rtol=0)


@torch.no_grad()
def test_the_pooled_rule_averages_the_class_token_with_the_patches():
    tower, images = tower_of(class_token="pooled"), draw(3, 3, 64, 64)
    pooled, plain = tower(images, tokens=True), without(tower)(images, tokens=True)
    assert torch.equal(pooled.tokens[:, 1:], plain.tokens[:, 1:])
    expected = (plain.tokens[:, 0] + plain.tokens[:, 1:].mean(dim=1)) / 2
    assert torch.allclose(pooled.tokens[:, 0], expected, atol=1e-6)
    assert torch.allclose(pooled.final, tower.ln_post(expected), atol=1e-5)
    assert torch.equal(pooled.penultimate, plain.penultimate)


@pytest.mark.parametrize("fusion", ["global", "group"])
@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("vision", [VIT, RESNET], ids=["vit", "resnet"])
def test_outputs_learn_at_the_first_step_and_everything_by_the_second(vision, gate, fusion):
    tower = tower_of(vision, gate=gate, fusion=fusion).requires_grad_(False)
    adapter = tower.adapter.requires_grad_(True)
    optimizer = torch.optim.SGD(adapter.parameters(), lr=0.1)
    images, target = draw(4, 3, 64, 64), draw(4, 64, seed=1)
    moved = set()
    for step in (1, 2, 3):
        optimizer.zero_grad()
        (tower(images).projected - target).square().mean().backward()
        moving = {name for name, p in adapter.named_parameters() if p.grad.any()}
        if step == 1:
            outputs = {"group_out.weight", "group_out.bias", "expand.weight", "expand.bias"}
            assert moving == outputs
        moved |= moving
        optimizer.step()
        if step == 2:
            assert moved == {name for name, _ in adapter.named_parameters()}


def naive(adapter, cells, gate):
    """The formulas, cell by cell and group by group, for one image: (N, C) to Delta (N, C)."""
    count, width = cells.shape
    size = width // adapter.options.groups
    normed = [F.layer_norm(x, (width,), adapter.norm.weight, adapter.norm.bias) for x in cells]
    mean = sum(normed) / count
    hidden = F.gelu(adapter.squeeze.weight @ mean + adapter.squeeze.bias)
    whole = adapter.expand.weight @ hidden + adapter.expand.bias
    delta = torch.zeros(count, width)
    for g in range(adapter.options.groups):
        part = slice(g * size, (g + 1) * size)
        inner = [
            F.gelu(adapter.group_in.weight[g] @ x[part] + adapter.group_in.bias[part])
            for x in normed
        ]
        average = sum(inner) / count
        scores = [float(u @ average) for u in inner]
        center = sum(scores) / count
        spread = (sum((s - center) ** 2 for s in scores) / count) ** 0.5
        if adapter.balance.ndim == 2:
            pair = torch.softmax(adapter.balance[:, g], dim=0)
        else:
            pair = torch.softmax(adapter.balance, dim=0)
        for n in range(count):
            if gate == "mean":
                s = torch.sigmoid(average @ adapter.gate.weight[g] + adapter.gate.bias[g])
            elif gate == "spatial":
                level = (scores[n] - center) / (spread + 1e-5)
                s = torch.sigmoid(adapter.gate.scale[g] * level + adapter.gate.shift[g])
            else:
                s = adapter.gate.weight[g]
            own = adapter.group_out.weight[g] @ (s * inner[n]) + adapter.group_out.bias[part]
            delta[n, part] = pair[0] * own + pair[1] * whole[part]
    return delta


@torch.no_grad()
@pytest.mark.parametrize("fusion", ["global", "group"])
@pytest.mark.parametrize("gate", GATES)
def test_the_change_is_the_formula(gate, fusion):
    adapter = adapter_of(gate=gate, fusion=fusion)
    x = draw(2, 5, 24)
    expected = torch.stack([naive(adapter, cells, gate) for cells in x])
    assert expected.abs().mean() > 0.1
    assert torch.allclose(adapter.change(x), expected, atol=1e-5)
    assert torch.allclose(adapter(x), x + expected, atol=1e-5)
    # The mean of the cells is theirs alone: a token before them hears of it and gives nothing.
    first = draw(2, 1, 24, seed=1)
    with_first = adapter.change(torch.cat([first, x], dim=1), leading=1)
    assert torch.allclose(with_first[:, 1:], expected, atol=1e-5)
    lengths = expected.view(2, 5, 4, 6).pow(2).sum(dim=-1).sqrt()
    assert torch.allclose(adapter.maps(torch.cat([first, x], dim=1), leading=1), lengths, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("gate", GATES)
def test_groups_are_independent(gate):
    adapter = adapter_of(gate=gate)
    normed = draw(2, 5, 24)
    other = normed.clone()
    other[..., 6:12] += draw(2, 5, 6, seed=1)
    moved = (adapter.group_stream(other) - adapter.group_stream(normed)).abs()
    moved = moved.view(2, 5, 4, 6).amax(dim=(0, 1, 3))
    assert moved[1] > 1e-2
    assert moved[[0, 2, 3]].max() == 0


@torch.no_grad()
@pytest.mark.parametrize("rule", CLASS_TOKENS)
def test_what_the_class_token_hears(rule):
    adapter = adapter_of(class_token=rule)
    x = draw(2, 6, 24)
    y = adapter(x, leading=1)
    change = adapter.change(x[:, 1:])
    assert torch.allclose(y[:, 1:], x[:, 1:] + change, atol=1e-5)
    first = x[:, 0]
    expected = {
        "mean": first + change.mean(dim=1),
        "all": first + adapter.change(x, leading=1)[:, 0],
        "before": first,
        "pooled": (first + y[:, 1:].mean(dim=1)) / 2,
    }[rule]
    assert torch.allclose(y[:, 0], expected, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(
    "prompt", [None, VisualPromptConfig(tokens=3), VisualPromptConfig(deep=True)]
)
@pytest.mark.parametrize("rule", CLASS_TOKENS)
def test_the_tower_applies_it_where_the_rule_says(rule, prompt):
    tower, images = tower_of(class_token=rule, scramble=True, prompt=prompt), draw(2, 3, 64, 64)
    short, full = tower(images), tower(images, tokens=True)
    for name in FEATURES:
        assert torch.allclose(short[name], full[name], atol=1e-4), name
    adapter, count = tower.adapter, 0 if prompt is None else prompt.tokens
    seen = []
    hook = adapter.register_forward_hook(
        lambda m, args, kwargs, y: seen.append((args[0], kwargs, y)), with_kwargs=True
    )
    tower(images, tokens=True)
    hook.remove()
    ((x, kwargs, y),) = seen
    plain = without(tower)(images, tokens=True)
    tower.put_addition("adapter", adapter)
    if rule == "before":
        assert kwargs == {"leading": 1 + count}
        assert torch.equal(y[:, : 1 + count], x[:, : 1 + count])
        assert torch.equal(full.penultimate, plain.penultimate)
        assert torch.equal(full.before[:, 1:], y[:, 1 + count :])
    else:
        assert kwargs == {"leading": 1}
        assert torch.equal(x, plain.tokens)
        assert torch.equal(full.tokens, y)
        assert torch.equal(full.before, plain.before)
        assert torch.allclose(full.final, tower.ln_post(y[:, 0]), atol=1e-5)
    assert (full.final - plain.final).abs().max() > 1e-2
    assert (full.projected - plain.projected).abs().max() > 1e-2


@torch.no_grad()
def test_features_of_a_resnet_pool_the_adapted_map():
    tower, images = tower_of(RESNET, scramble=True), draw(2, 3, 64, 64)
    plain = without(tower_of(RESNET))(images, tokens=True)
    features = tower(images, tokens=True)
    assert torch.allclose(features.tokens, tower.adapter(plain.tokens), atol=1e-5)
    assert torch.allclose(features.final, features.tokens.mean(dim=1), atol=1e-5)
    assert torch.equal(features.before, plain.before)
    assert (features.projected - plain.projected).abs().max() > 1e-3


@torch.no_grad()
def test_it_works_with_the_other_additions_side_information_and_other_sizes():
    options = {"prompt": VisualPromptConfig(tokens=2, deep=True), "lora": LoraConfig(rank=2)}
    tower = tower_of(scramble=True, **options)
    assert list(tower.tuning) == ["visual_prompt", "lora", "adapter"]
    tower.fit((96, 48), 12)
    images, sie = draw(2, 3, 96, 48), draw(2, 128, seed=1)
    features = tower(images, sie=sie, tokens=True)
    assert features.tokens.shape == (2, 1 + tower.grid[0] * tower.grid[1], 128)
    assert torch.allclose(features.final, tower(images, sie=sie).final, atol=1e-4)
    assert (features.final - tower(images).final).abs().max() > 1e-3


@torch.no_grad()
def test_it_can_be_drawn_again_from_its_seed():
    def state(seed):
        generator = torch.Generator().manual_seed(seed)
        options = AdapterConfig(groups=4, gate="mean")
        return SemanticGroupingAdapter(options, 24, generator=generator).state_dict()

    one, same, other = state(1), state(1), state(2)
    assert all(torch.equal(one[name], same[name]) for name in one)
    drawn = {name for name in one if not torch.equal(one[name], other[name])}
    assert drawn == {
        "group_in.weight",
        "group_in.bias",
        "gate.weight",
        "squeeze.weight",
        "squeeze.bias",
    }
    assert one["group_in.weight"].abs().max() <= 6**-0.5
    zero = {name for name in one if not one[name].any()}
    assert zero == {
        "group_out.weight",
        "group_out.bias",
        "expand.weight",
        "expand.bias",
        "balance",
        "gate.bias",
        "norm.bias",
    }


@torch.no_grad()
def test_gates_begin_as_documented():
    grouped = draw(2, 5, 3, 4)
    generator = torch.Generator().manual_seed(0)
    spatial = GATES["spatial"](3, 12, generator=generator)(grouped, grouped[:, 1:])
    assert torch.equal(spatial, torch.sigmoid(torch.ones(2, 5, 3)))
    assert GATES["constant"](3, 12, generator=generator)(grouped, grouped).shape == (3,)
    assert GATES["mean"](3, 12, generator=generator)(grouped, grouped).shape == (2, 1, 3)
    one = GATES["spatial"](3, 12, generator=generator)
    nn.init.ones_(one.scale)
    assert torch.isfinite(one(grouped[:, :1], grouped[:, :1])).all()  # a map of one cell


@torch.no_grad()
@pytest.mark.parametrize("vision", [VIT, RESNET], ids=["vit", "resnet"])
def test_it_works_under_autocast(vision):
    tower, images = tower_of(vision, scramble=True), draw(2, 3, 64, 64)
    full = tower(images).projected
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = tower(images).projected
    assert F.cosine_similarity(low.float(), full).min() > 0.99
    fresh = tower_of(vision)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(fresh(images).final, without(fresh)(images).final)


def test_a_model_with_a_fresh_adapter_retrieves_alike():
    backbone, images = small_backbone(), draw(3, 3, 64, 64)
    before = ReIDModel(backbone).eval().embed(images)
    attach_tuning(backbone.image, adapter=AdapterConfig())
    assert torch.equal(ReIDModel(backbone).eval().embed(images), before)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"groups": 7}, ModelError, "24 channels, which 7 groups do not divide.* 1, 2, 4, 8"),
        ({"groups": 0}, ValidationError, "groups"),
        ({"ratio": 25}, ModelError, "Take 1 to 24"),
        ({"gate": "means"}, ValidationError, "'means'"),
        ({"fusion": "all"}, ValidationError, "fusion"),
        ({"class_token": "none"}, ValidationError, "class_token"),
    ],
)
def test_impossible_adapters_are_refused(options, error, words):
    with pytest.raises(error, match=words):
        adapter_of(**options)


def test_towers_that_cannot_have_one():
    with pytest.raises(ModelError, match="ResNet has no class token"):
        tower_of(RESNET, class_token="all")
    vision = {"timm_model_name": "test_vit", "timm_pool": "token", "timm_proj": "linear"}
    architecture = small_architecture(vision | {"image_size": 160}, custom_text=True)
    tower = take_over(architecture, architecture.build(seed=1)).image
    with pytest.raises(ModelError, match="TimmTower takes its encoder from timm"):
        attach_tuning(tower, adapter=AdapterConfig())
    assert not tower.tuning
