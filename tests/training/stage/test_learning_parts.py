import itertools

import pytest
import torch
from small_heads import small_head
from small_models import RESNET, VIT, small_architecture, small_backbone, take_over, tower_widths
from small_prompts import identity_prompt, image_prompt
from torch import nn

from promptreid.config.model import AdapterConfig, InteractionConfig, LoraConfig, VisualPromptConfig
from promptreid.errors import ConfigError, ModelError
from promptreid.models.interaction import Interaction
from promptreid.models.part_names import find_part
from promptreid.models.reid import ReIDModel
from promptreid.models.sie import SideInformation
from promptreid.models.towers.depth import find_depths
from promptreid.models.tuning.lora import LowRank
from promptreid.models.tuning.tuning import attach_tuning
from promptreid.training.stage.learning_parts import set_learning, set_modes

PARTS = ("prompt", "image", "visual_prompt", "lora", "adapter", "text", "head")
COMBINATIONS = [parts for count in range(1, 8) for parts in itertools.combinations(PARTS, count)]
IMAGE = "backbone.image."


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def build(vision=VIT, **options):
    backbone = small_backbone(vision, **options)
    vit = vision is VIT
    attach_tuning(
        backbone.image,
        visual_prompt=VisualPromptConfig(tokens=2, deep=True, dropout=0.5) if vit else None,
        lora=LoraConfig(rank=2),
        adapter=AdapterConfig(groups=8),
    )
    for name, parameter in backbone.image.named_parameters():
        if name.endswith("bn3.weight"):  # zero in a fresh ResNet, which stops gradients
            nn.init.ones_(parameter)
    width = backbone.image.widths[1]
    return ReIDModel(
        backbone,
        prompt=identity_prompt(backbone, 4, dropout=0.5),
        head=small_head(tower_widths(backbone.image), 4, dropout=0.5),
        sie=SideInformation(cameras=3, width=width) if vit else None,
    ).eval()


@pytest.fixture(scope="module")
def vit():
    return build()


@pytest.fixture(scope="module")
def resnet():
    return build(RESNET)


def expected_names(model, parts, blocks):
    """What learns, by the rules of the documentation, parameter by parameter."""
    tower = find_depths(model.backbone.image)
    names = set()
    for name, parameter in model.named_parameters():
        part = find_part(name)
        in_tower = {"image", "visual_prompt", "lora", "adapter"} & set(parts)
        if part not in parts and not (part == "sie" and in_tower):
            continue
        if name.startswith("head.necks.") and name.endswith("bias"):
            continue  # a neck has no shift
        if name == "backbone.text.token_embedding.weight":
            continue  # prompts have read it
        frozen = -1 if blocks is None else tower.blocks - blocks
        if part == "image" and tower.of[name.removeprefix(IMAGE)] <= frozen:
            continue
        names.add(name)
        assert parameter.requires_grad, name
    return names


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["vit", "resnet"])
def test_every_combination_of_parts_learns_exactly_what_it_names(kind, request):
    model = request.getfixturevalue(kind)
    for parts, blocks in itertools.product(COMBINATIONS, (None, 1, 2)):
        if blocks is not None and "image" not in parts:
            continue
        learning = dict(set_learning(model, parts, blocks=blocks))
        assert set(learning) == expected_names(model, parts, blocks), (parts, blocks)
        for name, parameter in model.named_parameters():
            assert parameter.requires_grad == (name in learning), (parts, blocks, name)


def loss_of(model, images):
    features = model.derived(model.features(images, torch.tensor([0, 1, 2, -1])[: len(images)]))
    loss = sum(feature.float().square().sum() for feature in features.values())
    loss = loss + sum(score.square().sum() for score in model.head.scores(features, "linear"))
    return loss + (features["projected"] @ model.prompt(torch.arange(4)).T).square().sum()


LEARNED = [
    (("prompt",), None),
    (("lora",), None),
    (("adapter",), None),
    (("visual_prompt", "lora", "head"), None),
    (("image", "adapter", "head"), 2),
    (("image",), 1),
    (("image", "head"), 2),
    (("image", "lora", "text"), 3),
    (PARTS, None),
]


@pytest.mark.parametrize(
    ("kind", "parts", "blocks"),
    [
        ("vit", ("visual_prompt",), None),
        *(("vit", *case) for case in LEARNED),
        *(("resnet", *case) for case in LEARNED),
    ],
)
def test_gradient_reaches_what_learns_and_nothing_else(kind, parts, blocks, request):
    model = request.getfixturevalue(kind)
    with torch.no_grad():  # else the gradient of the other factor is zero
        for module in model.modules():
            if isinstance(module, LowRank):
                module.up.copy_(0.01 * draw(*module.up.shape))
        adapter = model.backbone.image.adapter
        for layer in (adapter.group_out, adapter.expand):
            layer.weight.copy_(0.01 * draw(*layer.weight.shape))
    learning = dict(set_learning(model, parts, blocks=blocks))
    model.zero_grad(set_to_none=True)
    torch.manual_seed(0)
    loss_of(model, draw(4, 3, 64, 64)).backward()
    for name, parameter in model.named_parameters():
        if name not in learning:
            assert parameter.grad is None, name
        else:
            assert parameter.grad is not None, name
            assert parameter.grad.any(), name


def train_modes(model):
    """Return the classes of modules in train mode by their path."""
    return {path for path, module in model.named_modules() if module.training}


def test_modes_of_a_frozen_tower_with_additions(vit):
    set_learning(vit, ["visual_prompt"])
    assert train_modes(vit) == {IMAGE + "visual_prompt"}
    set_learning(vit, ["lora", "head"])
    modes = {path for path in train_modes(vit) if path.startswith("backbone")}
    updates = {path for path, module in vit.named_modules() if isinstance(module, LowRank)}
    assert modes == {IMAGE + "lora", *updates}
    assert vit.head.training
    set_learning(vit, ["image"])
    assert vit.backbone.image.transformer.training
    assert not vit.backbone.image.visual_prompt.training
    set_learning(vit, ["text"])
    assert train_modes(vit) == {
        path for path, _ in vit.named_modules() if (path + ".").startswith("backbone.text.")
    }
    set_learning(vit, ["prompt"])
    assert vit.prompt.training
    assert not vit.backbone.text.training
    assert not vit.backbone.image.training


@pytest.mark.parametrize("kind", ["vit", "resnet"])
def test_the_adapter_trains_when_it_learns(kind, request):
    model = request.getfixturevalue(kind)
    inside = {p for p, _ in model.named_modules() if p.startswith(IMAGE + "adapter")}
    assert len(inside) > 5
    set_learning(model, ["adapter"])
    assert train_modes(model) == inside
    for parts, blocks in ((["image"], None), (["image", "lora"], 1), (["prompt"], None)):
        set_learning(model, parts, blocks=blocks)
        assert not train_modes(model) & inside
        set_learning(model, [*parts, "adapter"], blocks=blocks)
        assert train_modes(model) >= inside


def test_an_interaction_trains_when_it_learns():
    backbone = small_backbone(VIT)
    width = backbone.image.widths[2]
    prompt = image_prompt(backbone, hidden=8)
    model = ReIDModel(
        backbone, prompt=prompt, interaction=Interaction(InteractionConfig(mode="value"), width)
    )
    for parts in itertools.product(("prompt", "text"), ("interaction", "image")):
        learning = dict(set_learning(model, parts))
        assert {find_part(name) for name in learning} == set(parts)
        assert model.interaction.training == ("interaction" in parts)
        assert model.prompt.training == ("prompt" in parts)


def test_dropout_of_prompt_tokens_is_active_while_the_tower_is_frozen(vit):
    images = draw(2, 3, 64, 64)

    def twice():
        with torch.no_grad():
            return [vit.backbone.image(images).projected for _ in range(2)]

    torch.manual_seed(0)
    set_learning(vit, ["visual_prompt"])
    assert not torch.equal(*twice())
    set_learning(vit, ["lora", "image"])
    assert torch.equal(*twice())


def norms(model):
    found = model.backbone.image.named_modules()
    return {path: module for path, module in found if isinstance(module, nn.BatchNorm2d)}


@pytest.mark.parametrize(
    ("parts", "blocks", "moving"),
    [
        (("image",), None, ("bn", "layer1", "layer2", "layer3", "layer4")),
        (("image", "lora"), 1, ("layer4",)),
        (("image",), 3, ("layer2", "layer3", "layer4")),
        (("image",), 4, ("layer1", "layer2", "layer3", "layer4")),
        (("lora",), None, ()),
        (("head",), None, ()),
    ],
)
def test_frozen_batch_norms_keep_their_statistics(parts, blocks, moving):
    model = build(RESNET)
    set_learning(model, parts, blocks=blocks)
    before = {path: norm.running_mean.clone() for path, norm in norms(model).items()}
    model.features(draw(4, 3, 64, 64))
    for path, norm in norms(model).items():
        wanted = path.startswith(moving) if moving else False
        assert norm.training == wanted, path
        assert torch.equal(norm.running_mean, before[path]) != wanted, path


def test_modules_without_parameters_go_with_what_encloses_them():
    model = small_backbone(VIT | {"patch_dropout": 0.0, "ls_init_value": 0.1})
    model.image.transformer.resblocks[0].mlp.gelu = nn.Dropout(0.5)
    model.image.transformer.resblocks[2].mlp.gelu = nn.Dropout(0.5)
    set_modes(ReIDModel(model), ["image"], blocks=2)
    blocks = model.image.transformer.resblocks
    assert [block.training for block in blocks] == [False, True, True]
    assert not blocks[0].mlp.gelu.training
    assert blocks[2].mlp.gelu.training
    assert model.image.ln_post.training
    assert not model.image.conv1.training


def test_last_blocks_of_a_timm_encoder():
    vision = {"timm_model_name": "test_vit", "timm_pool": "token", "timm_proj": "linear"}
    architecture = small_architecture(vision | {"image_size": 160}, custom_text=True)
    backbone = take_over(architecture, architecture.build(seed=1))
    backbone.image.fit((32, 32), None)
    model = ReIDModel(backbone)
    learning = dict(set_learning(model, ["image"], blocks=1))
    tops = {name.removeprefix(IMAGE + "trunk.").rpartition(".")[0] for name in learning}
    assert {top for top in tops if not top.startswith("blocks.5.")} == {"norm", IMAGE + "head.proj"}
    assert any(top.startswith("blocks.5.attn") for top in tops)


@pytest.mark.parametrize(
    ("parts", "blocks", "words"),
    [
        (("image",), 5, "this image tower has 4 blocks or layers"),
        (("image",), 0, "Take 1 to 4"),
        (("lora", "head"), 2, "does not name `image`"),
    ],
)
def test_blocks_that_cannot_be(resnet, parts, blocks, words):
    for change in (set_learning, set_modes):
        with pytest.raises(ConfigError, match=words):
            change(resnet, parts, blocks=blocks)


def test_blocks_that_are_not_known(monkeypatch):
    vision = {"timm_model_name": "test_vit", "timm_pool": "token", "timm_proj": "linear"}
    architecture = small_architecture(vision | {"image_size": 160}, custom_text=True)
    backbone = take_over(architecture, architecture.build(seed=1))
    backbone.image.fit((32, 32), None)
    monkeypatch.setattr(backbone.image.trunk, "group_matcher", lambda coarse: {})
    with pytest.raises(ModelError, match="Leave `blocks`"):
        set_learning(ReIDModel(backbone), ["image"], blocks=1)


def test_unknown_parts_are_refused(vit):
    with pytest.raises(ConfigError, match="'loras'"):
        set_learning(vit, ["loras"])
