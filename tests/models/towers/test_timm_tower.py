import pytest
import torch
from small_models import small_architecture, take_over
from small_prompts import identity_prompt
from small_tokenizer import write_tokenizer

from promptreid.errors import ModelError
from promptreid.models.weights.tokenizers import find_tokenizer


def timm(name, pool, proj):
    return {"timm_model_name": name, "timm_pool": pool, "timm_proj": proj, "image_size": 160}


SIGLIP = timm("test_vit3", "map", "none")
TOKEN = timm("test_vit", "token", "linear")
CONV = timm("test_convnext", "", "linear")
ROPE = timm("vit_pe_core_tiny_patch16_384", "map", None) | {"image_size": 384}
TEXT = {"no_causal_mask": True, "proj_bias": True, "pool_type": "last", "context_length": 16}


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def build(vision):
    architecture = small_architecture(
        vision, text=TEXT, custom_text=True, init_logit_bias=-10, quick_gelu=False
    )
    if vision["timm_proj"] in ("none", None):
        architecture.config["embed_dim"] = 192 if vision is ROPE else 96
    model = architecture.build(seed=1)
    return model, architecture


@pytest.mark.parametrize("vision", [SIGLIP, TOKEN, CONV], ids=["siglip", "token", "convnext"])
def test_projected_equals_open_clip_at_its_own_size(vision):
    model, architecture = build(vision)
    images = draw(2, 3, 160, 160)
    with torch.no_grad():
        expected = model.encode_image(images)
        tower = take_over(architecture, model).image
        tower.fit((160, 160), None)
        found = tower(images)
    assert torch.allclose(found.projected, expected, atol=1e-5)
    assert tower.widths == tuple(found[n].shape[1] for n in ("penultimate", "final", "projected"))


@pytest.mark.parametrize("vision", [SIGLIP, TOKEN], ids=["siglip", "token"])
@torch.no_grad()
def test_features_are_those_around_the_last_block(vision):
    model, architecture = build(vision)
    tower = take_over(architecture, model).image
    tower.fit((96, 64), None)
    assert tower.grid == (6, 4)
    found = {}
    tower.trunk.blocks[-1].register_forward_hook(
        lambda module, inputs, output: found.update(entering=inputs[0], leaving=output)
    )
    features = tower(draw(2, 3, 96, 64), tokens=True)
    normed = tower.trunk.norm(found["leaving"])
    if vision is TOKEN:
        expected = found["entering"][:, 0], normed[:, 0]
    else:  # one register, no class token
        expected = found["entering"][:, 1:].mean(1), normed[:, 1:].mean(1)
    assert torch.allclose(features.penultimate, expected[0], atol=1e-6)
    assert torch.allclose(features.final, expected[1], atol=1e-6)
    assert torch.allclose(features.tokens, normed, atol=1e-6)


@torch.no_grad()
def test_patches_can_overlap_in_a_siglip():
    model, architecture = build(SIGLIP)
    tower = take_over(architecture, model).image
    before = tower.trunk.pos_embed[0].clone()
    tower.fit((96, 64), 12)
    assert tower.grid == (7, 5)
    assert tower.trunk.pos_embed.shape[1] - before.shape[0] == 35 - 100
    assert tower(draw(2, 3, 96, 64)).projected.isfinite().all()
    with pytest.raises(ModelError, match="between 1 and 16"):
        tower.fit((96, 64), 17)


@torch.no_grad()
def test_rotary_towers_change_size_but_not_stride():
    model, architecture = build(ROPE)
    tower = take_over(architecture, model).image
    tower.fit((128, 64), None)
    assert tower.grid == (8, 4)
    assert tower(draw(1, 3, 128, 64)).projected.shape == (1, 192)
    with pytest.raises(ModelError, match="leave `stride` out"):
        tower.fit((128, 64), 12)


def test_side_information_and_wrong_sizes_are_refused():
    model, architecture = build(SIGLIP)
    tower = take_over(architecture, model).image
    tower.fit((96, 64), None)
    assert not tower.has_class_token
    with pytest.raises(ModelError, match="class token"):
        tower(draw(1, 3, 96, 64), sie=torch.zeros(1, 96))
    with pytest.raises(ModelError, match="takes"):
        tower(draw(1, 3, 160, 160))


def test_prompts_of_a_siglip(tmp_path):
    pytest.importorskip("tokenizers")
    model, architecture = build(SIGLIP)
    backbone = take_over(architecture, model)
    text = backbone.text.requires_grad_(False)
    architecture.config["text_cfg"]["tokenizer_kwargs"] = {"clean": "canonicalize"}
    backbone.tokenizer = find_tokenizer(architecture, write_tokenizer(tmp_path))
    template = "a photo of a {context} hand"
    prompt = identity_prompt(backbone, 3, template=template, context_tokens=2)
    assert (prompt.slots[0].start, prompt.slots[0].eot) == (4, 15)
    tokens = backbone.tokenizer([template.replace("{context}", "x x")])
    with torch.no_grad():
        filler = text.embed_tokens(tokens)[:, 4:6]
        assert torch.allclose(
            prompt.encode_after(prompt.prefix, filler), text.encode_tokens(tokens), atol=1e-5
        )
    features = prompt(torch.arange(3))
    assert (features[0] - features[1]).abs().max() > 1e-4
    features[0].sum().backward()
    assert prompt.tokens.grad[0].abs().sum() > 0
    assert prompt.tokens.grad[1:].abs().sum() == 0
