import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_heads import small_head
from small_models import RESNET, VIT, small_backbone, tower_widths
from small_prompts import identity_prompt
from torch import nn

from promptreid.config.model import AdapterConfig, LoraConfig, VisualPromptConfig
from promptreid.config.optimize import OptimizerConfig
from promptreid.models.part_names import find_part
from promptreid.models.reid import ReIDModel
from promptreid.models.sie import SideInformation
from promptreid.models.tuning.tuning import attach_tuning
from promptreid.torch_threads import torch_threads
from promptreid.training.stage.learning_parts import set_learning
from promptreid.training.stage.optimizer import build_optimizer, parameter_groups, set_learning_rate
from promptreid.training.stage.training_state import optimizer_tensors, restore_optimizer

PARTS = ("prompt", "image", "visual_prompt", "lora", "adapter", "text", "head")
LAST = {"vit": 4, "resnet": 5}


def model():
    return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2, bias=False))


def test_each_learning_parameter_is_in_exactly_one_group():
    net = model()
    net[1].bias.requires_grad_(False)
    groups = parameter_groups(net.named_parameters(), OptimizerConfig(bias_lr_factor=2))
    seen = [id(p) for group in groups for p in group["params"]]
    wanted = [id(p) for p in net.parameters() if p.requires_grad]
    assert sorted(seen) == sorted(wanted)
    assert len(set(seen)) == len(seen)


def test_biases_learn_at_the_factor_and_everything_decays():
    net = model()
    optimizer = build_optimizer(
        net.named_parameters(), OptimizerConfig(lr=1e-3, weight_decay=0.1, bias_lr_factor=2)
    )
    set_learning_rate(optimizer, 1e-4)
    rates = {name: group["lr"] for group in optimizer.param_groups for name in group["names"]}
    assert rates == {
        "0.weight": 1e-4,
        "1.weight": 1e-4,
        "2.weight": 1e-4,
        "0.bias": 2e-4,
        "1.bias": 2e-4,
    }
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.1}


def test_adam_decay_is_l2_and_absent_rows_still_move():
    table = nn.Parameter(torch.ones(3, 2))
    optimizer = build_optimizer([("t", table)], OptimizerConfig(lr=0.1, weight_decay=0.5))
    for _ in range(2):
        optimizer.zero_grad()
        table[0].sum().backward()
        optimizer.step()
    assert (table[1] < 1).all()
    expected = torch.ones(3, 2, requires_grad=True)
    oracle = torch.optim.Adam([expected], lr=0.1)
    for _ in range(2):
        oracle.zero_grad()
        (expected[0].sum() + 0.25 * expected.pow(2).sum()).backward()  # d/dx of 0.5 x^2 / 2
        oracle.step()
    torch.testing.assert_close(table, expected)


def test_kinds():
    for name, kind in (
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("sgd", torch.optim.SGD),
    ):
        built = build_optimizer(model().named_parameters(), OptimizerConfig(name=name))
        assert type(built) is kind


def trained(optimizer, weights, steps=3):
    for step in range(steps):
        optimizer.zero_grad()
        sum((w * (w - step).sin()).sum() for w in weights).backward()
        optimizer.step()
    return [weight.detach() for weight in weights]


@pytest.mark.parametrize(
    ("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]
)
def test_one_pass_over_weights_of_the_processor_is_the_published_step(name, kind):
    def weights():
        torch.manual_seed(0)
        return [nn.Parameter(torch.randn(shape)) for shape in ((), (7,), (33, 65))]

    ours = weights()
    config = OptimizerConfig(name=name, lr=0.01, weight_decay=0.1)
    optimizer = build_optimizer([(str(i), w) for i, w in enumerate(ours)], config)
    assert [group["fused"] for group in optimizer.param_groups] == [True]
    published = weights()
    expected = trained(kind(published, lr=0.01, weight_decay=0.1, fused=False), published)
    for one, other in zip(trained(optimizer, ours), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


def test_threads_share_a_step_out_without_changing_a_bit():
    found = []
    for threads in (1, 3):
        torch.manual_seed(0)
        weight = nn.Parameter(torch.randn(401, 257))
        optimizer = build_optimizer([("w", weight)], OptimizerConfig(weight_decay=0.1))
        with torch_threads(threads):
            found += trained(optimizer, [weight])
    assert torch.equal(*found)


def test_weights_elsewhere_or_with_scaled_losses_move_by_torch_s_own_choice():
    layer, config = nn.Linear(3, 4), OptimizerConfig()
    there = nn.Linear(3, 4, device="meta")
    transposed = nn.Parameter(torch.zeros(3, 4).t())
    for built in (
        build_optimizer(layer.named_parameters(), config, scaled=True),
        build_optimizer(there.named_parameters(), config),
        build_optimizer([("w", transposed)], config),
    ):
        assert {group["fused"] for group in built.param_groups} == {None}


def test_state_of_the_published_step_is_taken_over():
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(5, 6))
    twin = nn.Parameter(weight.detach().clone())
    published = torch.optim.Adam([weight], lr=0.01, fused=False)
    trained(published, [weight])
    ours = build_optimizer([("w", twin)], OptimizerConfig(lr=0.01, weight_decay=0.0))
    with torch.no_grad():
        twin.copy_(weight)
    saved = optimizer_tensors(published, {id(weight): "w"})
    restore_optimizer(ours, {id(twin): "w"}, saved)
    torch.testing.assert_close(trained(ours, [twin]), trained(published, [weight]))
    assert ours.state[twin]["step"] == 6


def test_part_factors_multiply_with_the_bias_factor():
    net = nn.ModuleDict({"head": nn.Linear(2, 2), "backbone": nn.Linear(2, 2)})
    config = OptimizerConfig(lr=1e-3, bias_lr_factor=2, part_lr_factors={"head": 10})
    groups = parameter_groups(net.named_parameters(), config)
    rates = {name: group["lr"] for group in groups for name in group["names"]}
    assert rates == pytest.approx(
        {"head.weight": 1e-2, "head.bias": 2e-2, "backbone.weight": 1e-3, "backbone.bias": 2e-3}
    )


def test_each_part_has_its_own_factor():
    names = {
        "prompt.tokens": 2.0,
        "prompt.inversion.first.weight": 2.0,
        "interaction.query.weight": 3.0,
        "head.classifiers.linear.final.weight": 4.0,
        "backbone.image.adapter.squeeze.weight": 5.0,
        "backbone.image.proj": 6.0,
        "sie.embed": 6.0,
        "backbone.text.ln_final.weight": 7.0,
    }
    parts = ("prompt", "interaction", "head", "adapter", "image", "text")
    config = OptimizerConfig(lr=1.0, part_lr_factors=dict(zip(parts, range(2, 8), strict=True)))
    named = [(name, nn.Parameter(torch.zeros(1))) for name in names]
    groups = parameter_groups(named, config)
    assert {name: group["lr"] for group in groups for name in group["names"]} == names


def whole_model(vision):
    backbone = small_backbone(vision)
    prompt = VisualPromptConfig(tokens=2) if vision is VIT else None
    attach_tuning(
        backbone.image, visual_prompt=prompt, lora=LoraConfig(rank=2), adapter=AdapterConfig()
    )
    return ReIDModel(
        backbone,
        prompt=identity_prompt(backbone, 3),
        head=small_head(tower_widths(backbone.image), 3),
        sie=SideInformation(cameras=2, width=128) if vision is VIT else None,
    )


@pytest.fixture(scope="module")
def models():
    return {"vit": whole_model(VIT), "resnet": whole_model(RESNET)}


def depth(kind, name):
    """Depth of a parameter of the tower itself, from its name."""
    words = name.removeprefix("backbone.image.").split(".")
    if kind == "resnet":
        return int(words[0][-1]) if "layer" in words[0] else 5 if words[0] == "attnpool" else 0
    if words[0] == "transformer":
        return 1 + int(words[2])
    return 4 if words[0] in ("ln_post", "proj") else 0


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["vit", "resnet"]),
    parts=st.sets(st.sampled_from(PARTS), min_size=1),
    blocks=st.none() | st.integers(1, 3),
    layer_decay=st.sampled_from([1.0, 0.65, 0.9]),
    bias=st.sampled_from([1.0, 2.0]),
    factors=st.dictionaries(st.sampled_from(PARTS), st.sampled_from([0.1, 5.0, 10.0])),
)
def test_every_learning_parameter_has_one_group_and_the_rate_of_the_formula(
    models, kind, parts, blocks, layer_decay, bias, factors
):
    model = models[kind]
    named = set_learning(model, parts, blocks=blocks if "image" in parts else None)
    config = OptimizerConfig(
        lr=1e-3, layer_decay=layer_decay, bias_lr_factor=bias, part_lr_factors=factors
    )
    groups = parameter_groups(named, config, tower=model.backbone.image)
    seen = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(seen) == sorted(id(p) for p in model.parameters() if p.requires_grad)
    assert len(set(seen)) == len(seen)
    for group in groups:
        for name in group["names"]:
            part = "image" if find_part(name) == "sie" else find_part(name)
            expected = factors.get(part, 1.0) * (bias if "bias" in name else 1.0)
            if find_part(name) == "image":
                expected *= layer_decay ** (LAST[kind] - depth(kind, name))
            assert math.isclose(group["lr_factor"], expected), name
            assert math.isclose(group["lr"], 1e-3 * expected), name


def test_each_block_learns_at_the_decay_times_the_rate_of_the_next(models):
    model = models["vit"]
    named = set_learning(model, ["image", "lora", "adapter", "head"])
    config = OptimizerConfig(lr=1.0, layer_decay=0.5)
    optimizer = build_optimizer(named, config, tower=model.backbone.image)
    set_learning_rate(optimizer, 8.0)
    rates = {name: group["lr"] for group in optimizer.param_groups for name in group["names"]}
    image = "backbone.image."
    block = image + "transformer.resblocks."
    assert rates[image + "proj"] == rates[image + "ln_post.weight"] == 8.0
    assert [rates[f"{block}{i}.mlp.c_fc.weight"] for i in range(3)] == [1.0, 2.0, 4.0]
    assert [
        rates[f"{block}{i}.attn.parametrizations.in_proj_weight.original"] for i in range(3)
    ] == [1.0, 2.0, 4.0]
    assert rates[image + "conv1.weight"] == rates[image + "class_embedding"] == 0.5
    # What has no pretrained values to keep learns at the full rate.
    assert rates[f"{block}0.attn.parametrizations.in_proj_weight.0.up"] == 8.0
    assert {rate for n, rate in rates.items() if n.startswith(image + "adapter.")} == {8.0}
    assert rates["sie.embed"] == rates["head.classifiers.linear.final.weight"] == 8.0


def test_layer_decay_needs_the_tower(models):
    named = set_learning(models["vit"], ["image"])
    with pytest.raises(ValueError, match="give `tower`"):
        parameter_groups(named, OptimizerConfig(layer_decay=0.9))
