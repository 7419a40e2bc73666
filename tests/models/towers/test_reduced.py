"""Towers with 16-bit matrices: close to float32, closer than autocast, and frozen."""

from copy import deepcopy

import pytest
import torch
from small_models import RESNET, small_backbone

from promptreid.config.model import LoraConfig
from promptreid.errors import ModelError
from promptreid.models.towers.reduced import reduce_tower
from promptreid.models.tuning.tuning import attach_tuning

FEATURES = ("penultimate", "final", "projected")


def reduced_copy(tower, kind=torch.bfloat16):
    copy = deepcopy(tower)
    reduce_tower(copy, kind)
    return copy


def images(count=8):
    return torch.randn(count, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def cosine(left, right):
    return torch.nn.functional.cosine_similarity(left.double(), right.double(), dim=-1).min().item()


@pytest.mark.parametrize("tokens", [False, True])
def test_image_features_are_near_float32(tokens):
    tower = small_backbone().image
    with torch.no_grad():
        exact, found = tower(images(), tokens=tokens), reduced_copy(tower)(images(), tokens=tokens)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = tower(images(), tokens=tokens)
    for name in FEATURES:
        assert found[name].dtype == torch.float32
        assert cosine(exact[name], found[name]) > 0.9999
        apart = (exact[name] - found[name]).norm()
        assert 0 < apart <= 1.2 * (exact[name] - rounded[name].float()).norm()


def test_in_float32_the_copy_is_the_tower_to_the_bit():
    tower = small_backbone().image
    with torch.no_grad():
        exact, found = tower(images()), reduced_copy(tower, torch.float32)(images())
    for name in FEATURES:
        assert torch.equal(exact[name], found[name])


def test_text_features_are_near_float32_and_gradients_reach_the_words():
    backbone = small_backbone()
    ids = backbone.tokenizer(["a photo of a hand", "a person"])
    words = backbone.text.embed_tokens(ids).detach()
    ends = backbone.text.read_position(ids)
    found, gradients = [], []
    for tower in (backbone.text, reduced_copy(backbone.text)):
        leaf = words.clone().requires_grad_(True)
        texts = tower.encode_embeddings(leaf, ends)
        texts.square().sum().backward()
        found.append(texts.detach())
        gradients.append(leaf.grad.flatten())
    assert found[1].dtype == torch.float32
    assert cosine(*found) > 0.9999
    assert cosine(*gradients) > 0.999


def test_the_tower_stays_as_it_was_and_the_copy_is_frozen():
    tower = small_backbone().image.train()
    before = {name: value.clone() for name, value in tower.state_dict().items()}
    copy = reduced_copy(tower)
    assert copy.training
    assert not any(parameter.requires_grad for parameter in copy.parameters())
    assert all(parameter.requires_grad for parameter in tower.parameters())
    assert copy.transformer.resblocks[0].attn.in_proj_weight.dtype == torch.bfloat16
    assert copy.positional_embedding.dtype == torch.float32
    for name, value in tower.state_dict().items():
        assert torch.equal(value, before[name])


def test_other_towers_are_refused_in_words():
    with pytest.raises(ModelError, match="autocast"):
        reduced_copy(small_backbone(RESNET).image)
    tower = small_backbone().image
    config = LoraConfig(rank=2)
    attach_tuning(tower, visual_prompt=None, lora=config, generator=torch.Generator())
    with pytest.raises(ModelError, match="additions"):
        reduced_copy(tower)
