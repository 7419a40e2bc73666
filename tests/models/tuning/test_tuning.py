import json

import pytest
import torch
from small_models import INFO, RESNET, VIT, small_architecture, small_backbone, take_over

from promptreid.config.model import AdapterConfig, LoraConfig, VisualPromptConfig
from promptreid.models.checkpoint import load_model, save_model
from promptreid.models.reid import ReIDModel
from promptreid.models.tuning.tuning import (
    attach_tuning,
    describe_tuning,
    fold_tuning,
    restore_tuning,
    tuning_part,
)

PROMPT = VisualPromptConfig(tokens=3, deep=True, dropout=0.1)
LORA = LoraConfig(rank=2, alpha=3.0, targets=("attention",))
ADAPTER = AdapterConfig(groups=8, ratio=4, gate="spatial", fusion="group")
BEFORE = AdapterConfig(groups=16, gate="constant", class_token="before")
CASES = {
    "all": (VIT, PROMPT, LORA, ADAPTER),
    "prompt and update": (VIT, PROMPT, LORA, None),
    "prompt": (VIT, VisualPromptConfig(), None, None),
    "prompt and adapter": (VIT, PROMPT, None, BEFORE),
    "lora": (VIT, None, LoraConfig(targets=("mlp", "attention")), None),
    "adapter": (VIT, None, None, AdapterConfig(class_token="pooled")),
    "resnet": (RESNET, None, LORA, None),
    "resnet, all": (RESNET, None, LORA, ADAPTER),
    "nothing": (VIT, None, None, None),
}
cases = pytest.mark.parametrize(("vision", "prompt", "lora", "adapter"), CASES.values(), ids=CASES)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def scramble(tower):
    with torch.no_grad():
        for number, parameter in enumerate(tower.parameters()):
            parameter.add_(0.02 * draw(*parameter.shape, seed=number))


@cases
@torch.no_grad()
def test_description_and_weights_rebuild_the_tower(vision, prompt, lora, adapter):
    tower, images = small_backbone(vision).image, draw(2, 3, 64, 64)
    attach_tuning(tower, visual_prompt=prompt, lora=lora, adapter=adapter)
    scramble(tower)
    given = {"visual_prompt": prompt, "lora": lora, "adapter": adapter}
    assert set(tower.tuning) == {name for name, config in given.items() if config is not None}
    description = json.loads(json.dumps(describe_tuning(tower)))
    assert not any(module.training for module in tower.children())
    twin = small_backbone(vision).image
    restore_tuning(twin, description)
    twin.load_state_dict(tower.state_dict())
    assert describe_tuning(twin) == describe_tuning(tower) == description
    for name in ("penultimate", "final", "projected"):
        assert torch.equal(twin(images)[name], tower(images)[name])
    if prompt is not None:
        assert twin.visual_prompt.options.dropout == prompt.dropout
        assert twin.visual_prompt.deep == prompt.deep
    if adapter is not None:
        assert twin.adapter.options.class_token == adapter.class_token
        twin.remove_addition("adapter")
        assert (twin(images).projected - tower(images).projected).abs().max() > 1e-4


@cases
@torch.no_grad()
def test_a_checkpoint_brings_the_additions_back(vision, prompt, lora, adapter, tmp_path):
    backbone, images = small_backbone(vision), draw(2, 3, 64, 64)
    attach_tuning(backbone.image, visual_prompt=prompt, lora=lora, adapter=adapter)
    scramble(backbone.image)
    path = tmp_path / "model.safetensors"
    save_model(path, ReIDModel(backbone).eval(), INFO)
    loaded, _ = load_model(path)
    assert torch.equal(loaded.embed(images), ReIDModel(backbone).eval().embed(images))
    assert describe_tuning(loaded.backbone.image) == describe_tuning(backbone.image)
    fold_tuning(loaded.backbone.image)
    assert torch.equal(loaded.embed(images), ReIDModel(backbone).eval().embed(images))


def test_additions_can_be_restored_before_their_weights_are_there():
    tower = small_backbone(VIT).image
    attach_tuning(tower, visual_prompt=PROMPT, lora=LORA, adapter=ADAPTER)
    scramble(tower)
    architecture = small_architecture(VIT)
    with torch.device("meta"):
        empty = take_over(architecture, architecture.build(empty=True)).image
    restore_tuning(empty, describe_tuning(tower))
    assert all(parameter.is_meta for parameter in empty.parameters())
    assert not empty.visual_prompt.training
    assert not empty.adapter.training  # like the tower, so dropout is off
    empty.load_state_dict(tower.state_dict(), assign=True)
    with torch.no_grad():
        images = draw(1, 3, 64, 64)
        assert torch.equal(empty(images).projected, tower(images).projected)


def test_parts():
    tower = small_backbone(VIT).image
    own = {name for name, _ in tower.named_parameters()}
    assert {tuning_part(name) for name in own} == {"image"}
    attach_tuning(tower, visual_prompt=PROMPT, lora=LORA, adapter=ADAPTER)
    parts = {}
    for name, parameter in tower.named_parameters():
        parts.setdefault(tuning_part(name), {})[name] = parameter
    assert set(parts) == {"image", "visual_prompt", "lora", "adapter"}
    assert all(name.startswith("adapter.") for name in parts["adapter"])
    assert len(parts["adapter"]) == len(list(tower.adapter.parameters()))
    assert len(parts["image"]) == len(own)
    assert set(parts["visual_prompt"]) == {"visual_prompt.tokens"}
    attention = 2 * (3 * 2 * 128 + 3 * 128 * 2) + 2 * (2 * 128 + 128 * 2)
    assert len(parts["lora"]) == 3 * 2 * 2
    assert sum(p.numel() for p in parts["lora"].values()) == 3 * attention // 2


def test_additions_are_drawn_in_a_fixed_order():
    towers = [small_backbone(VIT).image for _ in range(3)]
    for tower, seed in zip(towers, (5, 5, 6), strict=True):
        generator = torch.Generator().manual_seed(seed)
        attach_tuning(tower, visual_prompt=PROMPT, lora=LORA, adapter=BEFORE, generator=generator)
    one, same, other = (tower.state_dict() for tower in towers)
    bare = small_backbone(VIT).image  # what is drawn last moves nothing before it
    generator = torch.Generator().manual_seed(5)
    attach_tuning(bare, visual_prompt=PROMPT, lora=LORA, generator=generator)
    assert all(torch.equal(value, one[name]) for name, value in bare.state_dict().items())
    assert all(torch.equal(value, same[name]) for name, value in one.items())
    fresh = [n for n in one if tuning_part(n) == "visual_prompt" or n.endswith("down")]
    assert len(fresh) == 1 + 6
    fresh += ["adapter.group_in.weight", "adapter.gate.weight", "adapter.squeeze.weight"]
    assert not any(torch.equal(one[name], other[name]) for name in fresh)


def test_a_tower_has_additions_once():
    tower = small_backbone(VIT).image
    attach_tuning(tower, lora=LORA)
    with pytest.raises(ValueError, match="additions already"):
        attach_tuning(tower, visual_prompt=PROMPT)
    fold_tuning(tower)
    attach_tuning(tower, visual_prompt=PROMPT)
    assert set(tower.tuning) == {"visual_prompt"}


def test_merging_leaves_the_other_additions():
    tower = small_backbone(VIT).image
    attach_tuning(tower, visual_prompt=PROMPT, lora=LORA, adapter=ADAPTER)
    fold_tuning(tower)
    assert describe_tuning(tower) == {
        "visual_prompt": PROMPT.model_dump(mode="json"),
        "adapter": ADAPTER.model_dump(mode="json"),
    }
    parts = {tuning_part(name) for name, _ in tower.named_parameters()}
    assert parts == {"image", "visual_prompt", "adapter"}
