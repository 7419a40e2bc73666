import pytest
import torch
from small_models import RESNET, VIT, small_architecture, small_backbone, take_over

from promptreid.config.model import AdapterConfig, LoraConfig, VisualPromptConfig
from promptreid.errors import ModelError
from promptreid.models.towers.depth import find_depths
from promptreid.models.tuning.tuning import attach_tuning


def timm(name, pool):
    vision = {"timm_model_name": name, "timm_pool": pool, "timm_proj": "linear", "image_size": 160}
    architecture = small_architecture(vision, custom_text=True)
    tower = take_over(architecture, architecture.build(seed=1)).image
    tower.fit((160, 160), None)
    return tower


def test_depths_of_a_vision_transformer():
    tower = small_backbone(VIT).image
    attach_tuning(
        tower,
        visual_prompt=VisualPromptConfig(),
        lora=LoraConfig(rank=2),
        adapter=AdapterConfig(class_token="before"),
    )
    found = find_depths(tower)
    assert (found.blocks, found.last) == (3, 4)
    assert set(found.of) == {name for name, _ in tower.named_parameters()}
    expected = {
        "conv1.weight": 0,
        "class_embedding": 0,
        "positional_embedding": 0,
        "ln_pre.bias": 0,
        "visual_prompt.tokens": 0,
        "transformer.resblocks.0.ln_1.weight": 1,
        "transformer.resblocks.1.attn.parametrizations.in_proj_weight.0.up": 2,
        "transformer.resblocks.1.attn.parametrizations.in_proj_weight.original": 2,
        "transformer.resblocks.2.mlp.c_fc.bias": 3,
        "ln_post.weight": 4,
        "proj": 4,
        "adapter.norm.weight": 4,
        "adapter.balance": 4,
    }
    for name, depth in expected.items():
        assert found.of[name] == depth, name
    outside = [name for name in found.of if "resblocks" not in name]
    last = {name for name in outside if found.of[name] == 4}
    assert {name for name in last if not name.startswith("adapter.")} == {
        "ln_post.weight",
        "ln_post.bias",
        "proj",
    }
    assert all(found.of[name] in (0, 4) for name in outside)


def test_depths_of_a_resnet():
    tower = small_backbone(RESNET).image
    attach_tuning(tower, adapter=AdapterConfig())
    found = find_depths(tower)
    assert found.blocks == 4
    for name, depth in found.of.items():
        first = name.partition(".")[0]
        if first.startswith("layer"):
            assert depth == int(first[-1]), name
        else:
            assert depth == (5 if first in ("attnpool", "adapter") else 0), name


@pytest.mark.parametrize(
    ("name", "pool", "blocks", "stem", "block", "after"),
    [
        (
            "test_vit3",
            "map",
            9,
            {"trunk.pos_embed", "trunk.reg_token", "trunk.patch_embed"},
            "trunk.blocks.{}.",
            {"trunk.norm", "trunk.attn_pool", "head"},
        ),
        (
            "test_vit",
            "token",
            6,
            {"trunk.pos_embed", "trunk.cls_token", "trunk.patch_embed"},
            "trunk.blocks.{}.",
            {"trunk.norm", "head"},
        ),
        ("test_convnext", "", 4, {"trunk.stem"}, "trunk.stages.{}.", {"trunk.head", "head"}),
        (
            "test_resnet",
            "",
            4,
            {"trunk.conv1", "trunk.bn1"},
            "trunk.layer{1}.",
            {"head"},
        ),
    ],
)
def test_depths_of_timm_encoders(name, pool, blocks, stem, block, after):
    tower = timm(name, pool)
    found = find_depths(tower)
    assert found.blocks == blocks
    where = {0: set(), blocks + 1: set()}
    for parameter, depth in found.of.items():
        if parameter.startswith(block.format(depth - 1, depth)):
            continue
        # What is in no block comes before all or after all.
        where[depth].add(
            ".".join(parameter.split(".")[: 2 if parameter.startswith("trunk") else 1])
        )
    assert where == {0: stem, blocks + 1: after}


def test_an_encoder_without_known_blocks_is_refused(monkeypatch):
    tower = timm("test_vit", "token")
    monkeypatch.setattr(tower.trunk, "group_matcher", lambda coarse: {"stem": "^patch_embed"})
    with pytest.raises(ModelError, match="where the blocks of this image encoder are"):
        find_depths(tower)


def test_depths_rise_along_the_forward_pass():
    """Every parameter of a depth acts before those of greater depths do."""
    tower = small_backbone(VIT).image
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found = find_depths(tower)
    for block in range(1, found.blocks + 1):
        seen = []
        handle = tower.transformer.resblocks[block - 1].ln_1.register_forward_hook(
            lambda module, inputs, output, seen=seen: seen.append(inputs[0])
        )
        tower(images)
        handle.remove()
        needed = {
            name
            for (name, _), gradient in zip(
                tower.named_parameters(),
                torch.autograd.grad(
                    seen[0].square().sum(), list(tower.parameters()), allow_unused=True
                ),
                strict=True,
            )
            if gradient is not None
        }
        assert needed == {name for name, depth in found.of.items() if depth < block}
