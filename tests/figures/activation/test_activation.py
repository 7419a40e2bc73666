import pytest
import torch
from small_models import RESNET, VIT, small_architecture, small_backbone, take_over
from small_prompts import image_prompt

from promptreid.config.model import (
    AdapterConfig,
    EmbeddingConfig,
    InteractionConfig,
    VisualPromptConfig,
)
from promptreid.errors import ConfigError, ModelError
from promptreid.figures.activation.draw_activation import activation_maps, patch_shares
from promptreid.figures.activation.map_kinds import KINDS, ModelInput, natural_kind
from promptreid.figures.activation.rollout import recorded_attention, rollout
from promptreid.models.image_only.solider_swin import SOLIDERS, SoliderShape
from promptreid.models.interaction import Interaction
from promptreid.models.reid import ReIDModel
from promptreid.models.sie import SideInformation
from promptreid.models.towers.backbone import build_backbone
from promptreid.models.tuning.tuning import attach_tuning

SIZE = (64, 32)


def images(count=2, size=SIZE):
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(0))


def build(vision=VIT, *, stride=None, **tuning):
    backbone = small_backbone(vision)
    backbone.image.fit(SIZE, stride)
    if tuning:
        options = {"visual_prompt": None, "lora": None, **tuning}
        attach_tuning(backbone.image, **options, generator=torch.Generator().manual_seed(0))
    return ReIDModel(backbone).eval()


def timm_model(vision):
    options = {"text": {"context_length": 16}, "custom_text": True, "quick_gelu": False}
    architecture = small_architecture(vision, **options)
    backbone = take_over(architecture, architecture.build(seed=1))
    backbone.image.fit((96, 64), None)
    return ReIDModel(backbone).eval()


def naive_rollout(model, batch):
    tower = model.backbone.image
    with torch.no_grad(), recorded_attention(tower.transformer.resblocks) as found:
        tower(batch.images, tokens=True)
    return rollout(found)[:, 0]


@pytest.mark.parametrize("stride", [16, 12])
def test_rollout_is_the_class_tokens_row_without_the_class_token(stride):
    model, batch = build(stride=stride), ModelInput(images())
    found = activation_maps(model, batch)["attention rollout"]
    assert found.shape == (2, *model.backbone.image.grid)
    wanted = naive_rollout(model, batch)[:, 1:]
    wanted = wanted / wanted.mean(1, keepdim=True)
    assert torch.allclose(found.flatten(1), wanted, atol=1e-5)
    assert found.std() > 1e-4


def test_rollout_of_an_average_pooled_transformer_is_the_mean_of_its_patches():
    model = build({**VIT, "pool_type": "avg"})
    tower, batch = model.backbone.image, ModelInput(images())
    with torch.no_grad(), recorded_attention(tower.transformer.resblocks) as found:
        tower(batch.images, tokens=True)
    wanted = rollout(found)[:, 1:].mean(1)[:, 1:]
    maps = activation_maps(model, batch, "rollout")["attention rollout"]
    assert torch.allclose(maps.flatten(1), wanted / wanted.mean(1, keepdim=True), atol=1e-5)


@pytest.mark.parametrize("deep", [False, True])
def test_prompt_tokens_take_part_but_have_no_place_in_the_map(deep):
    model = build(visual_prompt=VisualPromptConfig(tokens=3, deep=deep))
    batch = ModelInput(images())
    found = activation_maps(model, batch)["attention rollout"]
    assert found.shape == (2, 4, 2)
    tower = model.backbone.image
    with torch.no_grad(), recorded_attention(tower.transformer.resblocks) as attentions:
        tower(batch.images, tokens=True)
    wanted = rollout(attentions, fresh=slice(1, 4) if deep else None)[:, 0, 4:]
    assert torch.allclose(found.flatten(1), wanted / wanted.mean(1, keepdim=True), atol=1e-5)
    plain = rollout(attentions)[:, 0, 4:]
    assert torch.allclose(plain, wanted, atol=1e-7) is not deep


def test_side_information_reaches_the_map():
    backbone = small_backbone()
    sie = SideInformation(cameras=2, width=128, coefficient=30.0)
    model = ReIDModel(backbone, sie=sie).eval()
    pixels = images(size=(64, 64))
    known, other = (
        activation_maps(model, ModelInput(pixels, torch.full((2,), camera)))["attention rollout"]
        for camera in (0, 1)
    )
    assert (known - other).abs().max() > 1e-4


def test_energy_of_a_resnet_is_the_mean_square_of_its_last_map():
    model, batch = build(RESNET), ModelInput(images())
    assert natural_kind(model) == "energy"
    found = activation_maps(model, batch)["channel energy"]
    with torch.no_grad():
        tokens = model.backbone.image(batch.images, tokens=True).tokens
    wanted = tokens.square().mean(2)
    assert found.shape == (2, 4, 2)
    assert torch.allclose(found.flatten(1), wanted / wanted.mean(1, keepdim=True), atol=1e-5)


def test_energy_of_a_transformer_leaves_the_class_token_out():
    model, batch = build(), ModelInput(images())
    with torch.no_grad():
        tokens = model.backbone.image(batch.images, tokens=True).tokens[:, 1:]
    wanted = tokens.square().mean(2)
    found = activation_maps(model, batch, "energy")["channel energy"]
    assert torch.allclose(found.flatten(1), wanted / wanted.mean(1, keepdim=True), atol=1e-5)


def test_energy_of_solider_is_taken_before_the_last_norm(monkeypatch):
    name = "solider_swin_tiny"
    monkeypatch.setitem(SOLIDERS, name, SoliderShape(16, (1, 1, 1, 2), (1, 1, 1, 1)))
    model = ReIDModel(build_backbone(name, pretrained="none", image_size=(96, 64))).eval()
    batch = ModelInput(images(size=(96, 64)))
    found = activation_maps(model, batch)["channel energy"]
    maps = []
    last = model.backbone.image.stages[-1].blocks[-1]
    last.register_forward_hook(lambda *call: maps.append(call[-1].square().mean(dim=3)))
    with torch.no_grad():
        model.backbone.image(batch.images)
    expected = maps[0] / maps[0].mean(dim=(1, 2), keepdim=True)
    torch.testing.assert_close(found, expected)
    assert found.shape == (2, 3, 2)


@pytest.mark.parametrize(
    ("name", "pool", "proj", "grid"),
    [("test_vit", "token", "linear", (6, 4)), ("test_convnext", "", "linear", (3, 2))],
)
def test_energy_of_timm_towers_is_taken_before_the_last_norm(name, pool, proj, grid):
    vision = {"timm_model_name": name, "timm_pool": pool, "timm_proj": proj, "image_size": 160}
    model = timm_model(vision)
    assert natural_kind(model) == "energy"
    found = activation_maps(model, ModelInput(images(size=(96, 64))))["channel energy"]
    assert found.shape == (2, *grid)
    assert found.std() > 0.01  # behind a norm all tokens would be equally strong
    with pytest.raises(ModelError, match="Take the kind 'energy'"):
        activation_maps(model, ModelInput(images(size=(96, 64))), "rollout")


@pytest.mark.parametrize(
    ("vision", "rule"), [(VIT, "mean"), (VIT, "all"), (VIT, "before"), (RESNET, "mean")]
)
def test_adapter_maps_are_lengths_of_what_it_adds(vision, rule):
    model = build(vision, adapter=AdapterConfig(groups=4, class_token=rule))
    adapter = model.backbone.image.adapter
    generator = torch.Generator().manual_seed(3)
    for layer in (adapter.group_out.weight, adapter.expand.weight):
        torch.nn.init.normal_(layer, std=0.1, generator=generator)
    batch = ModelInput(images())
    seen = {}
    handle = adapter.register_forward_hook(
        lambda module, inputs, output: seen.update(change=output - inputs[0])
    )
    found = activation_maps(model, batch, "adapter")
    handle.remove()
    change = seen["change"][:, -8:]  # of the 4x2 cells
    wanted = change.norm(dim=2)
    assert len(found) == 4
    total = found["adapter, all groups"].flatten(1)
    assert torch.allclose(total, wanted / wanted.mean(1, keepdim=True), atol=1e-4)
    lengths = change.unflatten(2, (4, -1)).norm(dim=3)
    order = lengths.mean((0, 1)).argsort(descending=True)[:3].tolist()
    assert list(found)[1:] == [f"adapter, group {number}" for number in order]
    group = lengths[:, :, order[0]]
    maps = found[f"adapter, group {order[0]}"].flatten(1)
    assert torch.allclose(maps, group / group.mean(1, keepdim=True), atol=1e-4)


def test_an_adapter_that_has_learned_nothing_has_an_even_map():
    model = build(adapter=AdapterConfig(groups=4))
    found = activation_maps(model, ModelInput(images()), "adapter")
    assert torch.equal(found["adapter, all groups"], torch.ones(2, 4, 2))


def prompted(mode="value"):
    backbone = small_backbone()
    backbone.image.fit(SIZE, None)
    generator = torch.Generator().manual_seed(0)
    prompt = image_prompt(backbone, generator=generator)
    interaction = Interaction(InteractionConfig(mode=mode, heads=2), 64, generator=generator)
    spec = EmbeddingConfig(features=("final", "fused"))
    return ReIDModel(backbone, prompt=prompt, interaction=interaction, embedding=spec).eval()


@pytest.mark.parametrize("mode", ["value", "weight", "single"])
def test_text_maps_are_what_the_sentence_attends_to(mode):
    model, batch = prompted(mode), ModelInput(images())
    assert natural_kind(model) == "text"
    found = activation_maps(model, batch)["text to patches"]
    with torch.no_grad():
        features = model.features(batch.images)
        tokens = model.backbone.image.project_tokens(features)
        text = model.derived(features)["text"]
        attention = model.interaction(tokens, text).attention
    wanted = attention.mean(1)[:, 1:]  # without the class token
    assert found.shape == (2, 4, 2)
    assert torch.allclose(found.flatten(1), wanted / wanted.mean(1, keepdim=True), atol=1e-5)
    assert found.std() > 1e-5


@pytest.mark.parametrize("kind", ["adapter", "text"])
def test_what_is_not_there_is_said(kind):
    with pytest.raises(ModelError, match=f"The kind '{kind}' shows"):
        activation_maps(build(), ModelInput(images()), kind)
    with pytest.raises(ConfigError, match="Did you mean 'rollout'"):
        activation_maps(build(), ModelInput(images()), "rolout")


def test_kinds_cannot_be_changed():
    with pytest.raises(TypeError):
        KINDS["more"] = KINDS["energy"]


def test_patch_shares():
    assert patch_shares(build(stride=12).backbone.image) == ((12 / 64, 12 / 32), (0.25, 0.5))
    assert patch_shares(build(RESNET).backbone.image) == ((0.25, 0.5), (0.25, 0.5))
