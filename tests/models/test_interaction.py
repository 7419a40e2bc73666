import json
import math

import pytest
import torch
from small_models import small_backbone
from small_prompts import image_prompt

from promptreid.config.model import InteractionConfig
from promptreid.errors import ConfigError, ModelError
from promptreid.models.interaction import MODES, Interaction


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def build(mode="value", *, width=32, heads=2, open_output=True, generator=None, **options):
    """Build a module; with `open_output` its output projection lets the text through."""
    module = Interaction(
        InteractionConfig(mode=mode, heads=heads, **options), width, generator=generator
    )
    if open_output and mode == "value":
        with torch.no_grad():
            module.output.weight.copy_(draw(width, width, seed=9) / width**0.5)
    return module


@pytest.fixture
def tokens():
    return draw(3, 7, 32)


@pytest.fixture
def text():
    return draw(3, 32, seed=1)


def norm(layer, row):
    row = (row - row.mean()) / (row.var(unbiased=False) + layer.eps).sqrt() * layer.weight
    return row if layer.bias is None else row + layer.bias


def shake(module):
    """Give norms other weights than one and zero."""
    with torch.no_grad():
        for number, (name, parameter) in enumerate(module.named_parameters()):
            if "norm" in name or ".ln_" in name:
                parameter.add_(0.2 * draw(*parameter.shape, seed=number))


def attend(module, tokens, text):
    """Compute one image's (heads, N) attention key by key."""
    query = module.query.weight @ norm(module.norm_text, text)
    size = module.width // module.heads
    rows = []
    for head in range(module.heads):
        part = slice(head * size, (head + 1) * size)
        scores = [
            float(query[part] @ (module.key.weight @ norm(module.norm_tokens, t))[part])
            for t in tokens
        ]
        exponents = [math.exp(score / math.sqrt(size)) for score in scores]
        rows.append([e / sum(exponents) for e in exponents])
    return torch.tensor(rows)


def values(module, token):
    return module.value.weight @ norm(module.norm_tokens, token)


def by_head(weights, vector):
    return (weights[:, None] * vector.view(len(weights), -1)).flatten()


@torch.no_grad()
def test_value_mode_reweights_the_sequence(tokens, text):
    module = build("value")
    shake(module)
    found, attention = module.attend(tokens, text)
    for b in range(3):
        expected = attend(module, tokens[b], text[b])
        assert torch.allclose(attention[b], expected, atol=1e-5)
        for n, token in enumerate(tokens[b]):
            change = 7 * by_head(expected[:, n], values(module, token))
            assert torch.allclose(found[b, n], token + module.output.weight @ change, atol=1e-5)


@torch.no_grad()
def test_weight_mode_scales_the_patches_and_leaves_the_class_token(tokens, text):
    module = build("weight")
    shake(module)
    found, attention = module.attend(tokens, text)
    assert torch.equal(found[:, 0], tokens[:, 0])
    assert attention[:, :, 0].abs().max() == 0
    for b in range(3):
        expected = attend(module, tokens[b, 1:], text[b])
        assert torch.allclose(attention[b, :, 1:], expected, atol=1e-5)
        for n, token in enumerate(tokens[b, 1:]):
            scale = 6 * expected[:, n].mean()
            assert torch.allclose(found[b, n + 1], scale * token, atol=1e-5)


@pytest.mark.parametrize("residual", [False, True])
@torch.no_grad()
def test_single_mode_attends_to_one_token(tokens, text, residual):
    module = build("single", residual=residual)
    shake(module)
    found, attention = module.attend(tokens, text)
    assert found.shape == (3, 1, 32)
    for b in range(3):
        expected = attend(module, tokens[b], text[b])
        assert torch.allclose(attention[b], expected, atol=1e-5)
        summed = sum(by_head(expected[:, n], values(module, t)) for n, t in enumerate(tokens[b]))
        goal = module.output.weight @ summed + (text[b] if residual else 0)
        assert torch.allclose(found[b, 0], goal, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("blocks", [2, 3])
@torch.no_grad()
def test_the_feature_is_the_first_token_after_all_blocks(tokens, text, mode, blocks):
    module = build(mode, blocks=blocks)
    shake(module)
    sequence, attention = module.attend(tokens, text)
    for block in module.blocks:
        sequence = block(sequence)
    fused = module(tokens, text)
    assert torch.allclose(fused.feature, module.norm(sequence[:, 0]), atol=1e-5)
    assert torch.equal(fused.attention, attention)


@pytest.mark.parametrize("mode", ["value", "single"])
def test_without_blocks_the_attended_token_is_normed(tokens, text, mode):
    module = build(mode, blocks=0)
    expected = module.norm(module.attend(tokens, text)[0][:, 0])
    assert torch.equal(module(tokens, text).feature, expected)


@pytest.mark.parametrize("mode", MODES)
def test_attention_is_a_distribution_over_several_tokens(tokens, text, mode):
    attention = build(mode)(tokens, text).attention
    assert attention.shape == (3, 2, 7)
    assert attention.dtype == torch.float32
    assert torch.allclose(attention.sum(dim=2), torch.ones(3, 2))
    assert (attention > 0).sum(dim=2).min() >= 6
    assert attention.max() < 1


@pytest.mark.parametrize("mode", MODES)
def test_one_key_is_refused(mode):
    keys = 2 if mode == "weight" else 1  # the class token is no key there
    with pytest.raises(ModelError, match="over one key the attention is 1"):
        build(mode)(draw(2, keys, 32), draw(2, 32))
    build(mode)(draw(2, keys + 1, 32), draw(2, 32))


def test_at_first_value_mode_leaves_the_tokens_as_they_are(tokens, text):
    module = build("value", open_output=False)
    assert module.output.weight.abs().max() == 0
    sequence, attention = module.attend(tokens, text)
    assert torch.equal(sequence, tokens)
    assert attention.std() > 0


def test_only_value_mode_starts_with_a_closed_output():
    single, weight = build("single"), build("weight")
    assert 0.5 < single.output.weight.std() / (32**-0.5 / 2) < 1.5
    assert weight.value is None
    assert weight.output is None
    assert not {name for name in weight.state_dict() if name.startswith(("value", "output"))}


def test_even_attention_leaves_weighted_patches_as_they_are(tokens, text):
    module = build("weight")
    with torch.no_grad():
        module.query.weight.zero_()
    assert torch.allclose(module.attend(tokens, text)[0], tokens, atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_the_text_matters(tokens, text, mode):
    module = build(mode)
    outcomes = []
    for sentence in (text, text.flip(0)):
        image = tokens.clone().requires_grad_()
        sentence = sentence.clone().requires_grad_()
        fused = module(image, sentence)
        (fused.feature * draw(3, 32, seed=5)).sum().backward()
        outcomes.append((fused.feature.detach(), fused.attention.detach(), image.grad))
        assert sentence.grad.abs().amax(dim=1).min() > 1e-6
    for mine, theirs in zip(*outcomes, strict=True):
        assert (mine - theirs).norm() > 0.01 * mine.norm()


@pytest.mark.parametrize("mode", MODES)
def test_every_patch_matters(tokens, text, mode):
    image = tokens.clone().requires_grad_()
    (build(mode)(image, text).feature * draw(3, 32, seed=5)).sum().backward()
    assert image.grad.abs().amax(dim=2).min() > 1e-6


def silent(module, tokens, text):
    module.zero_grad()
    (module(tokens, text).feature * draw(3, 32, seed=5)).sum().backward()
    return {n for n, p in module.named_parameters() if not p.grad.abs().max() > 1e-7}


def test_all_of_value_mode_learns_from_the_second_step_on(tokens, text):
    module = build("value", open_output=False)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    text_side = {"norm_text.weight", "norm_text.bias", "query.weight", "key.weight", "value.weight"}
    first = silent(module, tokens, text)
    assert first == text_side | {"norm_tokens.weight", "norm_tokens.bias"}
    optimizer.step()
    assert silent(module, tokens, text) == set()


def test_all_of_weight_mode_learns_at_once(tokens, text):
    assert silent(build("weight"), tokens, text) == set()


def test_cross_attention_of_single_mode_learns_at_once(tokens, text):
    quiet = silent(build("single"), tokens, text)
    assert not {name for name in quiet if not name.startswith("blocks.")}


def test_sizes_are_those_of_the_paper():
    module = Interaction(InteractionConfig(mode="value"), 512)
    assert module.heads == 8
    assert Interaction(InteractionConfig(mode="value", blocks=0), 1024).heads == 16
    assert round(count(module.blocks) / 1e6, 2) == 6.30
    assert round(count(module.query, module.key, module.value) / 1e6, 2) == 0.79
    assert round(count(module.query, module.key, module.value, module.output) / 1e6, 2) == 1.05
    assert [block.attn.num_heads for block in module.blocks] == [8, 8]


def count(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


def test_weights_come_from_the_generator_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again, other = (
        build(generator=torch.Generator().manual_seed(seed)).state_dict() for seed in (1, 1, 2)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not torch.equal(first["query.weight"], other["query.weight"])
    name = "blocks.{}.attn.in_proj_weight"
    assert not torch.equal(first[name.format(0)], first[name.format(1)])


@pytest.mark.parametrize("mode", MODES)
def test_lower_precision_stays_close(tokens, text, mode):
    module = build(mode)
    with torch.no_grad():
        exact = module(tokens, text).feature
        with torch.autocast("cpu", dtype=torch.bfloat16):
            fused = module(tokens, text)
        whole = module.to(torch.bfloat16)(tokens.bfloat16(), text.bfloat16())
    assert fused.attention.dtype == torch.float32
    for found in (fused.feature, whole.feature):
        cosine = torch.cosine_similarity(found.float(), exact)
        assert cosine.min() > 0.995


@pytest.mark.parametrize(
    ("mode", "options"),
    [("value", {}), ("weight", {"blocks": 2}), ("single", {"residual": True, "heads": 4})],
)
def test_a_module_comes_back_from_its_description(tokens, text, mode, options):
    module = build(mode, generator=torch.Generator().manual_seed(4), **options)
    description = json.loads(json.dumps(module.describe()))
    again = Interaction(Interaction.read_description(description)[0], module.width)
    again.load_state_dict(module.state_dict())
    assert torch.equal(again(tokens, text).feature, module(tokens, text).feature)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "none"}, "value"),
        ({"heads": 5}, "do not divide"),
        ({"mode": "weight", "blocks": 0}, "at least two blocks must follow"),
        ({"mode": "weight", "blocks": 1}, "at least two blocks must follow"),
        ({"residual": True}, "Only mode single"),
    ],
)
def test_impossible_options_are_refused_in_words(options, words):
    with pytest.raises(ConfigError, match=words):
        Interaction(InteractionConfig(**{"mode": "value", **options}), 32)


@pytest.mark.parametrize("mode", MODES)
def test_word_and_template_reach_the_fused_feature(mode):
    backbone = small_backbone().requires_grad_(False)
    features = backbone.image(draw(4, 3, 64, 64), tokens=True)
    image = backbone.image.project_tokens(features)
    module = build(mode, width=64)
    outcomes = []
    for seed, template in (
        (1, "A {context} person."),
        (2, "A {context} person."),
        (1, "{context} hand"),
    ):
        prompt = image_prompt(
            backbone,
            template=template,
            generator=torch.Generator().manual_seed(seed),
        )
        fused = module(image, prompt(features.projected))
        (fused.feature * draw(4, 64, seed=5)).sum().backward()
        outcomes.append((fused.feature.detach(), prompt.inversion.second.weight.grad))
        assert outcomes[-1][1].abs().max() > 0
    for other in outcomes[1:]:
        for mine, theirs in zip(outcomes[0], other, strict=True):
            assert (mine - theirs).norm() > 1e-3 * mine.norm()
    assert all(p.grad is None for p in backbone.parameters())
