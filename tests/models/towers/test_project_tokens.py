"""Image tokens in the space shared with text, of all kinds of towers."""

import pytest
import torch
from small_models import RESNET, VIT, small_architecture, small_backbone, take_over
from torch.nn import functional as F

from promptreid.errors import ModelError

TEXT = {"no_causal_mask": True, "proj_bias": True, "pool_type": "last", "context_length": 16}
AVERAGE = VIT | {"pool_type": "avg"}
TIMM = {
    "siglip": ("test_vit3", "map", "none"),
    "token": ("test_vit", "token", "linear"),
    "average": ("test_vit", "avg", "linear"),
    "convnext": ("test_convnext", "", "linear"),
    "attention map": ("test_byobnet", "abs_attn", "linear"),
}


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def timm_tower(kind):
    name, pool, proj = TIMM[kind]
    vision = {"timm_model_name": name, "timm_pool": pool, "timm_proj": proj, "image_size": 160}
    architecture = small_architecture(vision, text=TEXT, custom_text=True, quick_gelu=False)
    if proj == "none":
        architecture.config["embed_dim"] = 96
    tower = take_over(architecture, architecture.build(seed=1)).image
    tower.fit((160, 160) if kind == "attention map" else (96, 64), None)
    return tower


def encode(tower):
    rows, columns = tower.image_size
    features = tower(draw(2, 3, rows, columns), tokens=True)
    return features, tower.project_tokens(features)


@pytest.mark.parametrize("vision", [VIT, AVERAGE, RESNET], ids=["vit", "average", "resnet"])
@torch.no_grad()
def test_the_projected_feature_comes_first_then_the_grid(vision):
    tower = small_backbone(vision).image
    tower.fit((96, 64), None)
    features, found = encode(tower)
    rows, columns = tower.grid
    assert found.shape == (2, 1 + rows * columns, tower.widths[2])
    assert torch.equal(found[:, 0], features.projected)
    assert found[:, 1:].std(dim=1).min() > 0


@torch.no_grad()
def test_patches_of_a_vit_are_projected_as_the_class_token_is():
    tower = small_backbone().image
    features, found = encode(tower)
    for image, projected in zip(features.tokens, found, strict=True):
        for token, expected in zip(image, projected, strict=True):  # the class token's, too
            assert torch.allclose(tower.ln_post(token) @ tower.proj, expected, atol=1e-5)


@torch.no_grad()
def test_projected_patches_average_to_the_pooled_feature():
    features, found = encode(small_backbone(AVERAGE).image)
    assert torch.allclose(found[:, 1:].mean(dim=1), features.projected, atol=1e-5)


@torch.no_grad()
def test_cells_of_a_resnet_are_the_rows_of_its_attention_pool():
    tower = small_backbone(RESNET).image
    tower.fit((96, 64), None)
    features, found = encode(tower)
    pool = tower.attnpool
    x = features.tokens.transpose(0, 1)
    x = torch.cat([x.mean(dim=0, keepdim=True), x]) + pool.positional_embedding[:, None]
    projections = (pool.q_proj, pool.k_proj, pool.v_proj)
    expected, _ = F.multi_head_attention_forward(
        *(x, x, x, x.shape[-1], pool.num_heads, None),
        torch.cat([p.bias for p in projections]),
        *(None, None, False, 0.0, pool.c_proj.weight, pool.c_proj.bias),
        use_separate_proj_weight=True,
        q_proj_weight=pool.q_proj.weight,
        k_proj_weight=pool.k_proj.weight,
        v_proj_weight=pool.v_proj.weight,
        need_weights=False,
        training=False,
    )
    assert torch.allclose(found, expected.transpose(0, 1), atol=1e-5)


@pytest.mark.parametrize("kind", ["siglip", "token", "average", "convnext"])
@torch.no_grad()
def test_a_patch_of_timm_is_projected_as_an_image_of_it_alone(kind):
    tower = timm_tower(kind)
    features, found = encode(tower)
    rows, columns = tower.grid
    assert found.shape == (2, 1 + rows * columns, tower.widths[2])
    assert torch.equal(found[:, 0], features.projected)
    trunk = tower.trunk
    patches = features.tokens[:, -rows * columns :]
    for b, n in ((0, 0), (1, 3), (1, rows * columns - 1)):
        patch = patches[b, n][None]
        if kind == "siglip":  # attention over one key is its value
            pool = trunk.attn_pool
            value = pool.kv(patch[None])[..., patch.shape[-1] :]
            pooled = pool.proj(value)
            patch = (pooled + pool.mlp(pool.norm(pooled)))[:, 0]
        elif kind == "convnext":
            patch = trunk.head.norm(patch[:, :, None, None])[:, :, 0, 0]
        else:
            patch = trunk.fc_norm(patch)
        assert torch.allclose(found[b, n + 1], tower.head(patch)[0], atol=1e-5)


@torch.no_grad()
def test_an_encoder_without_features_of_cells_says_so():
    tower = timm_tower("attention map")
    features = tower(draw(2, 3, 160, 160), tokens=True)
    with pytest.raises(ModelError, match="no features of their own"):
        tower.project_tokens(features)


@pytest.mark.parametrize("kind", ["vit", "resnet", "token"])
@torch.no_grad()
def test_features_without_tokens_are_refused_in_words(kind):
    visions = {"vit": VIT, "resnet": RESNET}
    tower = small_backbone(visions[kind]).image if kind in visions else timm_tower(kind)
    features = tower(draw(1, 3, *tower.image_size))
    with pytest.raises(ModelError, match="tokens=True"):
        tower.project_tokens(features)


@pytest.mark.parametrize("vision", [VIT, RESNET], ids=["vit", "resnet"])
def test_gradients_reach_the_image_tower(vision):
    tower = small_backbone(vision).image
    images = draw(2, 3, 64, 64).requires_grad_()
    tower.project_tokens(tower(images, tokens=True))[:, 1:].sum().backward()
    assert images.grad.abs().max() > 0
