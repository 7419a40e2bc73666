import pytest
import torch
from small_models import VIT, small_architecture, small_backbone, take_over
from torch.nn import functional as F

from promptreid.errors import ModelError
from promptreid.models.towers.vit import ViTTower

CLIPA = VIT | {"no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True}
VARIANTS = {
    "clip": VIT,
    "layer scale": VIT | {"ls_init_value": 0.1},
    "average": VIT | {"pool_type": "avg"},
    "clipa": CLIPA,
    "sine positions": VIT | {"pos_embed_type": "sin_cos_2d"},
    "qk norm": VIT | {"qk_norm": True},
}


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def tower() -> ViTTower:
    return small_backbone().image


def reference(tower, images, sie=None):
    """CLIP-ReID's forward pass, every token through every layer."""
    x = F.conv2d(images, tower.conv1.weight, stride=tower.stride)
    x = x.reshape(x.shape[0], x.shape[1], -1).permute(0, 2, 1)
    first = tower.class_embedding + torch.zeros(x.shape[0], 1, x.shape[2])
    x = torch.cat([first, x], dim=1)
    if sie is not None:
        x[:, 0] = x[:, 0] + sie
    x = tower.ln_pre(x + tower.positional_embedding)
    states = [x]
    for block in tower.transformer.resblocks:
        states.append(block(states[-1]))
    final = tower.ln_post(states[-1])[:, 0]
    return states[-2][:, 0], final, final @ tower.proj


@pytest.mark.parametrize("vision", VARIANTS.values(), ids=VARIANTS)
def test_projected_equals_open_clip_at_its_own_size(vision):
    architecture = small_architecture(vision)
    model = architecture.build(seed=1)
    images = draw(2, 3, 64, 64)
    with torch.no_grad():
        expected = model.encode_image(images)
        got = take_over(architecture, model).image(images)
    assert torch.allclose(got.projected, expected, atol=1e-5)
    assert [f.shape[1] for f in (got.penultimate, got.final)] == [128, 128]


@pytest.mark.parametrize("stride", [16, 12])
def test_features_equal_the_published_forward_pass(tower, stride):
    tower.fit((96, 48), stride)
    images, sie = draw(3, 3, 96, 48), draw(3, 128, seed=1)
    with torch.no_grad():
        got = tower(images, sie=sie)
        expected = reference(tower, images, sie)
    for name, value in zip(("penultimate", "final", "projected"), expected, strict=True):
        assert torch.allclose(got[name], value, atol=1e-5), name


def test_the_short_cut_of_the_last_block_changes_neither_values_nor_gradients(tower):
    images = draw(2, 3, 64, 64)
    gradients = []
    for tokens in (False, True):
        tower.zero_grad()
        features = tower(images, tokens=tokens)
        (features.projected.square().sum() + features.penultimate.sum()).backward()
        found = [parameter.grad.clone() for parameter in tower.parameters()]
        gradients.append([features.projected.detach(), *found])
    for short, full in zip(*gradients, strict=True):
        assert torch.allclose(short, full, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("vision", [VIT, CLIPA], ids=["class token", "average"])
def test_tokens_give_the_final_feature(vision):
    tower = small_backbone(vision).image
    with torch.no_grad():
        features = tower(draw(2, 3, 64, 64), tokens=True)
        assert features.tokens.shape == (2, 1 + 16, 128)
        assert torch.equal(tower.pool_tokens(features.tokens), features.final)
    assert tower(draw(2, 3, 64, 64)).tokens is None


def test_side_information_moves_the_class_token_only(tower):
    images, sie = draw(2, 3, 64, 64), draw(2, 128, seed=1)
    tower.ln_pre = torch.nn.Identity()
    moved = tower.embed(images, sie) - tower.embed(images)
    assert torch.allclose(moved[:, 0], sie, atol=1e-6)
    assert moved[:, 1:].abs().max() == 0


def test_fit_keeps_the_class_row_and_what_may_learn(tower):
    first = tower.positional_embedding[0].clone()
    tower.positional_embedding.requires_grad_(False)
    tower.fit((128, 64), 12)
    assert tower.grid == (10, 5)
    assert tower.positional_embedding.shape == (51, 128)
    assert torch.equal(tower.positional_embedding[0], first)
    assert not tower.positional_embedding.requires_grad
    assert tower(draw(1, 3, 128, 64)).final.shape == (1, 128)


@pytest.mark.parametrize("shape", [(1, 3, 64, 32), (3, 64, 64), (1, 1, 64, 64)])
def test_images_of_another_size_are_refused(tower, shape):
    with pytest.raises(ModelError, match="takes \\(batch, 3, 64, 64\\)"):
        tower(torch.zeros(shape))


def test_attention_pooled_towers_are_refused():
    architecture = small_architecture(VIT | {"attentional_pool": True})
    with pytest.raises(ModelError, match="separate attention layer"):
        take_over(architecture, architecture.build())


def test_works_under_autocast(tower):
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        low = tower(draw(2, 3, 64, 64), sie=draw(2, 128)).projected
    with torch.no_grad():
        full = tower(draw(2, 3, 64, 64), sie=draw(2, 128)).projected
    assert low.dtype == torch.bfloat16
    assert F.cosine_similarity(low.float(), full).min() > 0.995
