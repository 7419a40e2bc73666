import json

import pytest
import torch
from small_models import small_backbone
from small_prompts import image_prompt, restored
from torch import nn

from promptreid.errors import ConfigError, DataError, WeightsError
from promptreid.models.prompts.prompt import average_texts
from promptreid.models.prompts.sentences import SentenceFields
from promptreid.models.weights.tokenizers import tokenize

ASPECTS = SentenceFields(variants=({"aspect": "dorsal"}, {"aspect": "palmar_right"}))
BY_ASPECT = "A photo of the {aspect} side of a {context} hand."


@pytest.fixture(scope="module")
def backbone():
    backbone = small_backbone()
    backbone.text.requires_grad_(False)
    return backbone


def build(backbone, **options):
    return image_prompt(backbone, **options).eval()


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def read(backbone, *sentences):
    """Encode plain sentences at full length."""
    with torch.no_grad():
        return backbone.text.encode_tokens(tokenize(backbone.tokenizer, sentences))


def word(backbone, *words):
    ids = torch.tensor([backbone.tokenizer.encode(w) for w in words])
    return backbone.text.embed_tokens(ids)[:, 0]


def run_in_full(backbone, words, template):
    """Run all positions of a sentence with words in place of the filler X."""
    tokens = tokenize(backbone.tokenizer, [template.replace("{context}", "X")])
    found = backbone.text.embed_tokens(tokens)
    at = int((tokens[0] == 343).int().argmax())
    rows = [torch.cat([found[0, :at], w[None], found[0, at + 1 :]]) for w in words]
    x = torch.stack(rows) + backbone.text.positional_embedding
    mask = torch.full((x.shape[1], x.shape[1]), float("-inf")).triu(1)
    for block in backbone.text.transformer.resblocks:
        x = block(x, attn_mask=mask)
    end = int(tokens[0].argmax())
    return backbone.text.ln_final(x[:, end]) @ backbone.text.text_projection


@pytest.mark.parametrize(
    ("template", "eot"),
    [("A photo of a {context} person", 7), ("A photo of a {context} person.", 8)],
)
def test_the_word_stands_where_the_paper_puts_it(backbone, template, eot):
    prompt = build(backbone, template=template)
    assert [(s.start, s.length, s.eot) for s in prompt.slots] == [(5, 1, eot)]
    assert prompt.prefix.shape[0] + prompt.suffix.shape[1] == eot + 1  # and nothing after EOT
    assert prompt.shape.plain_ends == (eot - 1,)


def test_the_short_pass_equals_the_one_over_all_positions(backbone):
    template = "A photo of a {context} person"
    prompt = build(backbone, template=template)
    words = nn.Parameter(draw(3, 128))
    short, full = prompt.encode(words), run_in_full(backbone, words, template)
    assert torch.allclose(short, full, atol=1e-5)
    weights = draw(3, 64, seed=1)
    (found,) = torch.autograd.grad((short * weights).sum(), words)
    (expected,) = torch.autograd.grad((full * weights).sum(), words)
    assert expected.abs().max() > 1e-3
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("causal", [True, False])
def test_a_known_word_gives_the_sentence_with_that_word(causal):
    options = {"text": {"no_causal_mask": not causal}, "custom_text": not causal}
    backbone = small_backbone(**options)
    assert backbone.text.causal is causal
    prompt = build(backbone)
    found = prompt.encode(word(backbone, "tall", "young"))
    expected = read(backbone, "A photo of a tall person.", "A photo of a young person.")
    assert torch.allclose(found, expected, atol=1e-5)
    assert torch.allclose(prompt.constant(), read(backbone, "A photo of a person."), atol=1e-5)


def test_the_sentence_holds_the_computed_word(backbone):
    prompt, projected = build(backbone), draw(3, 64)
    assert torch.equal(prompt(projected), prompt.encode(prompt.inversion(projected)))


def test_the_feature_and_its_gradient_change_with_word_and_template(backbone):
    words, weights = draw(2, 128), draw(64, seed=1)
    outcomes = []
    for rows, template in (
        (words[:1], "A photo of a {context} person."),
        (words[1:], "A photo of a {context} person."),
        (words[:1], "A {context} hand, seen from above."),
    ):
        rows = rows.clone().requires_grad_()
        feature = build(backbone, template=template).encode(rows)
        (feature @ weights).sum().backward()
        outcomes.append((feature.detach(), rows.grad))
    for other in outcomes[1:]:
        for mine, theirs in zip(outcomes[0], other, strict=True):
            assert (mine - theirs).norm() > 0.05 * mine.norm()


def test_gradients_pass_the_frozen_tower_to_the_inversion_network(backbone):
    prompt = build(backbone).train()
    projected = draw(6, 64).requires_grad_()
    (prompt(projected) * draw(6, 64, seed=1)).sum().backward()
    assert all(p.grad is None for p in backbone.text.parameters())
    for name, parameter in prompt.named_parameters():
        assert parameter.grad.abs().max() > 1e-4, name
    assert projected.grad.abs().max() > 0


def test_lower_precision_stays_close(backbone):
    prompt, projected = build(backbone), draw(3, 64)
    exact = prompt(projected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = prompt(projected.bfloat16())
    assert torch.cosine_similarity(found.float(), exact).min() > 0.99


def test_the_tower_is_no_part_of_the_prompt(backbone):
    names = {name.partition(".")[0] for name in build(backbone).state_dict()}
    assert names == {"inversion", "prefix", "suffix", "plain", "sentences"}


def test_constant_sentences_know_no_image(backbone):
    prompt = build(backbone, template="A photo of a {context}, on foot.")
    texts = prompt.constant()
    assert not texts.requires_grad
    assert torch.allclose(texts, read(backbone, "A photo of a, on foot."), atol=1e-5)
    assert torch.equal(prompt.constant(), texts)
    with torch.no_grad():
        prompt.inversion.third.weight.add_(1)
    assert torch.equal(prompt.constant(), texts)


def test_variants_fill_the_sentence_of_each_image(backbone):
    prompt = build(backbone, template=BY_ASPECT, fields=ASPECTS)
    words = word(backbone, "small", "small", "large")
    which = torch.tensor([1, 0, 1])
    expected = read(
        backbone,
        "A photo of the palmar right side of a small hand.",
        "A photo of the dorsal side of a small hand.",
        "A photo of the palmar right side of a large hand.",
    )
    assert torch.allclose(prompt.encode(words, which), expected, atol=1e-5)
    plain = read(
        backbone,
        "A photo of the dorsal side of a hand.",
        "A photo of the palmar right side of a hand.",
    )
    assert torch.allclose(prompt.constant(), plain, atol=1e-5)
    with pytest.raises(ValueError, match="variants must be given"):
        prompt.encode(words)


def test_several_templates_are_averaged(backbone):
    templates = ("A photo of a {context} person.", "This person is {context}, seen from behind.")
    prompt, words = build(backbone, template=templates), draw(3, 128)
    members = [build(backbone, template=template) for template in templates]
    expected = average_texts(torch.stack([m.encode(words) for m in members], dim=1))
    assert torch.allclose(prompt.encode(words), expected, atol=1e-5)
    plain = average_texts(torch.stack([m.constant() for m in members], dim=1))
    assert torch.allclose(prompt.constant(), plain, atol=1e-5)


def test_fields_that_everyone_shares_are_words_of_the_sentence(backbone):
    shared = SentenceFields(identity={"gender": ("female", "female")})
    template = "A {gender} {context} person."
    prompt = build(backbone, template=template, fields=shared)
    found = prompt.encode(word(backbone, "tall"))
    assert torch.allclose(found, read(backbone, "A female tall person."), atol=1e-5)
    own = SentenceFields(identity={"gender": ("female", "male")})
    with pytest.raises(ConfigError, match="identity of an image is what retrieval asks for"):
        build(backbone, template=template, fields=own)
    assert len(build(backbone, fields=own).variants) == 1  # not named, so not in the way


def test_images_find_their_variant(backbone):
    prompt = build(backbone, template=BY_ASPECT, fields=ASPECTS)
    columns = {"aspect": ["palmar_right", "dorsal", "dorsal"], "side": ["l", "r", "l"]}
    assert prompt.find_variants(columns, images=3).tolist() == [1, 0, 0]
    assert build(backbone).find_variants({}, images=2).tolist() == [0, 0]
    with pytest.raises(DataError, match=r"only the attributes \['side'\]"):
        prompt.find_variants({"side": ["l"]}, images=1)
    with pytest.raises(DataError, match=r"no sentence with \{'aspect': 'ulnar'\}"):
        prompt.find_variants({"aspect": ["dorsal", "ulnar"]}, images=2)


@pytest.mark.parametrize(
    "options",
    [{}, {"template": (BY_ASPECT, "A {context} hand"), "fields": ASPECTS, "hidden": 32}],
    ids=["one sentence", "four sentences"],
)
def test_a_prompt_comes_back_from_its_description(backbone, options):
    prompt = build(backbone, generator=torch.Generator().manual_seed(3), **options)
    description = json.loads(json.dumps(prompt.describe()))
    again = restored(prompt, backbone, description).eval()
    again.load_state_dict(prompt.state_dict())
    assert again.describe() == prompt.describe()
    which = torch.tensor([0, len(prompt.variants) - 1])
    projected = draw(2, 64)
    assert torch.equal(again(projected, which), prompt(projected, which))
    assert torch.equal(again.constant(), prompt.constant())
    assert again.variants == prompt.variants


def test_impossible_prompts_are_refused_in_words(backbone):
    with pytest.raises(ConfigError, match="Nothing is left"):
        build(backbone, template="{context}.")
    with pytest.raises(ConfigError, match="exactly once"):
        build(backbone, template="A photo of a person.")
    with pytest.raises(ConfigError, match="aspect"):
        build(backbone, template=BY_ASPECT)
    wordless = small_backbone()
    wordless.text.drop_vocabulary()
    with pytest.raises(WeightsError, match="no word embeddings"):
        build(wordless)
