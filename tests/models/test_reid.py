import copy

import pytest
import torch
from small_heads import small_head
from small_models import RESNET, VIT, small_backbone, tower_widths
from small_prompts import identity_prompt

from promptreid.config.model import EmbeddingConfig, MlpConfig, PartsConfig
from promptreid.errors import ConfigError, ModelError
from promptreid.models.reid import ReIDModel, part_names
from promptreid.models.sie import SideInformation

FIXED = {"head.necks.final.bias", "head.necks.projected.bias"}


def build(vision=VIT, *, sie=True, **options):
    backbone = small_backbone(vision)
    width = backbone.image.widths[1]
    return ReIDModel(
        backbone,
        prompt=identity_prompt(backbone, 4),
        head=small_head(tower_widths(backbone.image), 4),
        sie=SideInformation(cameras=3, width=width) if sie else None,
        **options,
    ).eval()


@pytest.fixture(scope="module")
def images():
    return torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_published_embedding_is_one_normalised_concatenation(images):
    model = build()
    cameras = torch.tensor([0, 2, -1])
    features = model.features(images, cameras)
    joined = torch.cat([features.final, features.projected], dim=1)
    expected = joined / joined.norm(dim=1, keepdim=True)
    found = model.embed(images, cameras)
    assert torch.allclose(found, expected, atol=1e-6)
    assert found.shape == (3, model.embedding_width) == (3, 192)
    assert found.dtype == torch.float32
    assert torch.allclose(found.norm(dim=1), torch.ones(3), atol=1e-6)


@torch.no_grad()
def test_other_embeddings(images):
    zero_shot = build(sie=False, embedding=EmbeddingConfig(features=("projected",)))
    expected = torch.nn.functional.normalize(zero_shot.features(images).projected, dim=1)
    assert torch.allclose(zero_shot.embed(images), expected, atol=1e-6)
    after = build(
        sie=False, embedding=EmbeddingConfig(features=("projected", "final"), neck="after")
    )
    after.head.necks["final"].weight.fill_(5)
    neck = after.head.neck(after.derived(after.features(images)))
    joined = torch.cat([neck["projected"], neck["final"]], dim=1)
    assert torch.allclose(
        after.embed(images), torch.nn.functional.normalize(joined, dim=1), atol=1e-6
    )


@torch.no_grad()
def test_cameras_matter_only_through_side_information(images):
    model = build()
    without = model.features(images, use_sie=False).final
    assert torch.equal(without, model.backbone.image(images).final)
    some = model.embed(images, torch.tensor([0, 1, 2]))
    assert not torch.allclose(some, model.embed(images, torch.tensor([1, 1, 2])), atol=1e-4)
    assert torch.equal(model.embed(images), model.embed(images, torch.tensor([-1, 7, -3])))


def test_without_a_head_there_are_the_three_features(images):
    for model in (build().train(), ReIDModel(small_backbone())):
        features = model.features(images)
        derived = model.derived(features)
        assert {name: value.shape[1] for name, value in derived.items()} == model.widths
        assert all(value is features[name] for name, value in derived.items())


@torch.no_grad()
def test_features_of_the_head_can_be_retrieved_with(images):
    backbone = small_backbone()
    widths = tower_widths(backbone.image)
    head = small_head(
        widths,
        0,
        features=("mlp", "part1"),
        mlp=MlpConfig(width=5),
        parts=PartsConfig(stripes=2, width=7),
        tower=backbone.image,
    )
    model = ReIDModel(
        backbone, head=head, embedding=EmbeddingConfig(features=("part2", "mlp"))
    ).eval()
    derived = model.derived(model.features(images))
    joined = torch.cat([derived["part2"], derived["mlp"]], dim=1)
    assert model.embed(images).shape == (3, model.embedding_width) == (3, 12)
    assert torch.allclose(model.embed(images), torch.nn.functional.normalize(joined, dim=1))


@pytest.mark.parametrize(
    ("parts", "prefixes"),
    [
        (["prompt"], ("prompt.tokens",)),
        (["image", "head"], ("backbone.image.", "head.")),
        (["image", "sie"], ("backbone.image.", "sie.embed")),
        (["text", "logit_scale"], ("backbone.text.", "backbone.logit_scale")),
        ([], ()),
    ],
)
def test_only_the_named_parts_learn(parts, prefixes):
    model = build()
    for _ in range(2):  # the same whatever learned before
        learning = model.learn(parts)
        model.learn(part_names())
        learning = model.learn(parts)
    wanted = {name for name, _ in model.named_parameters() if name.startswith(prefixes)}
    wanted -= FIXED
    assert set(learning) == wanted
    assert {n for n, p in model.named_parameters() if p.requires_grad} == wanted
    assert bool(wanted) is bool(parts)


def test_every_parameter_belongs_to_one_part():
    model = build()
    names = [name for part in part_names() for name in model.part_parameters(part)]
    assert len(names) == len(set(names))
    assert set(names) == {name for name, _ in model.named_parameters()} - FIXED


@torch.no_grad()
def test_a_copy_uses_its_own_text_tower():
    model = build()
    other = copy.deepcopy(model)
    before = model.prompt.bank()
    other.backbone.text.ln_final.weight.fill_(0)
    assert other.prompt.text is other.backbone.text
    assert torch.equal(model.prompt.bank(), before)
    assert not torch.equal(other.prompt.bank(), before)


def test_wrong_compositions_are_refused():
    with pytest.raises(ConfigError, match="no neck for"):
        ReIDModel(small_backbone(), embedding=EmbeddingConfig(neck="after"))
    with pytest.raises(ModelError, match="has none"):
        build(RESNET)
    with pytest.raises(ModelError, match="width 128"):
        ReIDModel(small_backbone(), sie=SideInformation(cameras=3, width=64))
    with pytest.raises(ConfigError, match="'prompt'"):
        build().learn(["promt"])
    with pytest.raises(ConfigError, match="'final'"):
        ReIDModel(small_backbone(), embedding=EmbeddingConfig(features=("finl",)))
    with pytest.raises(ConfigError, match="distinct"):
        ReIDModel(small_backbone(), embedding=EmbeddingConfig(features=("final", "final")))
