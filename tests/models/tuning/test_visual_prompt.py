import math

import pytest
import torch
from small_models import RESNET, VIT, small_backbone

from promptreid.config.model import VisualPromptConfig
from promptreid.errors import ModelError
from promptreid.models.tuning.tuning import attach_tuning
from promptreid.models.tuning.visual_prompt import VisualPrompt

VARIANTS = {
    "clip": VIT,
    "layer scale": VIT | {"ls_init_value": 0.1},
    "qk norm": VIT | {"qk_norm": True},
    "average": VIT | {"pool_type": "avg"},
    "clipa": VIT | {"no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True},
    "one block": VIT | {"layers": 1},
}
NAMES = ("penultimate", "final", "projected", "before", "tokens")


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def prompted(vision=VIT, *, tokens=5, deep=False, dropout=0.0):
    tower = small_backbone(vision).image
    config = VisualPromptConfig(tokens=tokens, deep=deep, dropout=dropout)
    attach_tuning(tower, visual_prompt=config)
    with torch.no_grad():  # large enough to matter
        tower.visual_prompt.tokens.copy_(draw(*tower.visual_prompt.tokens.shape, seed=3))
    return tower.eval()


def naive(tower, images, sie=None):
    """The formulas of Jia et al. with all tokens through whole blocks."""
    x = tower.embed(images, sie)
    prompts, count = tower.visual_prompt.tokens, tower.visual_prompt.tokens.shape[1]
    deep = prompts.shape[0] > 1
    first, patches, between = x[:, :1], x[:, 1:], prompts[0].expand(len(x), -1, -1)
    for number, block in enumerate(tower.transformer.resblocks):
        if deep:
            between = torch.stack([prompts[number]] * len(x))
        before = torch.cat([first, patches], dim=1)
        x = block(torch.cat([first, between, patches], dim=1))
        first, between, patches = x[:, :1], x[:, 1 : 1 + count], x[:, 1 + count :]
    after = torch.cat([first, patches], dim=1)
    pool = (lambda t: t[:, 0]) if tower.pool == "tok" else (lambda t: t[:, 1:].mean(1))
    final = tower.ln_post(pool(after)) if tower.norm_after_pool else pool(tower.ln_post(after))
    return pool(before), final, final @ tower.proj, before, after


@pytest.mark.parametrize("deep", [False, True], ids=["shallow", "deep"])
@pytest.mark.parametrize("vision", VARIANTS.values(), ids=VARIANTS)
@torch.no_grad()
def test_features_equal_the_formula(vision, deep):
    tower = prompted(vision, deep=deep)
    images = draw(3, 3, 64, 64)
    expected = naive(tower, images)
    full, short = tower(images, tokens=True), tower(images)
    for name, value in zip(NAMES, expected, strict=True):
        found = getattr(full, name)
        assert found.shape == value.shape, name
        assert torch.allclose(found, value, atol=1e-5), name
        if name in NAMES[:3]:
            assert torch.allclose(short[name], value, atol=1e-5), name
    tower.remove_addition("visual_prompt")
    if len(tower.transformer.resblocks) > 1:
        assert (tower(images).penultimate - short.penultimate).abs().max() > 1e-3
    assert (tower(images).final - short.final).abs().max() > 1e-3


@torch.no_grad()
def test_works_with_side_information_other_sizes_and_overlapping_patches():
    tower = prompted(tokens=2, deep=True)
    tower.fit((96, 48), 12)
    images, sie = draw(2, 3, 96, 48), draw(2, 128, seed=1)
    features = tower(images, sie=sie, tokens=True)
    assert features.tokens.shape == features.before.shape == (2, 1 + math.prod(tower.grid), 128)
    for name, value in zip(NAMES, naive(tower, images, sie), strict=True):
        assert torch.allclose(getattr(features, name), value, atol=1e-5), name


@pytest.mark.parametrize("deep", [False, True], ids=["shallow", "deep"])
def test_the_short_cut_of_the_last_block_gives_the_same_gradient(deep):
    tower = prompted(deep=deep).requires_grad_(False)
    tokens = tower.visual_prompt.tokens.requires_grad_(True)
    gradients = []
    for whole in (False, True):
        features = tower(draw(2, 3, 64, 64), tokens=whole)
        loss = features.projected.square().sum() + features.penultimate.sum()
        gradients.append(torch.autograd.grad(loss, tokens)[0])
    assert torch.allclose(*gradients, rtol=1e-4, atol=1e-5)
    assert (gradients[0].abs().sum(dim=2) > 0).all()  # every token of every block matters


@pytest.mark.parametrize(("deep", "rows"), [(False, 1), (True, 7)])
def test_initial_tokens(deep, rows):
    def build(seed):
        generator = torch.Generator().manual_seed(seed)
        options = VisualPromptConfig(tokens=50, deep=deep)
        prompt = VisualPrompt(options, 64, patch=16, blocks=7, generator=generator)
        return prompt.tokens.detach()

    tokens, bound = build(1), math.sqrt(6 / (3 * 16 * 16 + 64))
    assert tokens.shape == (rows, 50, 64)
    assert tokens.abs().max() <= bound
    assert tokens.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
    assert torch.equal(tokens, build(1))
    assert not torch.equal(tokens, build(2))


def test_dropout_acts_per_image_and_in_training_only():
    prompt = VisualPrompt(
        VisualPromptConfig(tokens=40, dropout=0.25),
        8,
        patch=4,
        blocks=3,
        generator=torch.Generator().manual_seed(0),
    )
    x = torch.zeros(5, 4, 8)
    torch.manual_seed(0)
    rows = prompt.train().enter(x, 0, blocks=3, cells=3)[:, 1:41]
    kept = rows != 0
    assert kept.float().mean().item() == pytest.approx(0.75, abs=0.05)
    assert not torch.equal(kept[0], kept[1])
    expected = (prompt.tokens / 0.75).expand(5, -1, -1)
    assert torch.allclose(rows[kept], expected[kept])
    rows = prompt.eval().enter(x, 0, blocks=3, cells=3)[:, 1:41]
    assert torch.equal(rows, prompt.tokens.expand(5, -1, -1))


def test_prompt_tokens_are_refused_without_a_class_token():
    with pytest.raises(ModelError, match="ResNetTower has no place for them"):
        attach_tuning(small_backbone(RESNET).image, visual_prompt=VisualPromptConfig())


def test_works_under_autocast():
    tower = prompted(deep=True)
    images = draw(2, 3, 64, 64)
    with torch.no_grad():
        full = tower(images).projected
        with torch.autocast("cpu", dtype=torch.bfloat16):
            low = tower(images).projected
    assert torch.nn.functional.cosine_similarity(low.float(), full).min() > 0.99
