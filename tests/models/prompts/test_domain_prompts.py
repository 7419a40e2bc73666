"""Prompts with tokens that all identities share and tokens of each domain."""

import json

import pytest
import torch
from small_models import INFO, small_backbone
from small_prompts import identity_prompt, restored

from promptreid.errors import ConfigError
from promptreid.models.checkpoint import load_model, save_model
from promptreid.models.prompts.context_positions import place_context
from promptreid.models.prompts.prompt import average_texts
from promptreid.models.prompts.sentences import SentenceFields
from promptreid.models.reid import ReIDModel

DOMAINS = (0, 2, 1, 0, 2)
FIELDS = SentenceFields(
    identity={"tone": ("dark", "fair", "brown", "pale", "red")},
    variants=({"side": "palm"}, {"side": "back"}),
)
RICH = {"template": ("the {side} of a {context} {tone} hand", "{context}, {tone}"), "ensemble": 3}
KINDS = {
    "both": {"shared_tokens": 3, "domain_tokens": 2},
    "shared": {"shared_tokens": 3},
    "domain": {"domain_tokens": 2},
    "rich": {"shared_tokens": 3, "domain_tokens": 2, "fields": FIELDS, **RICH},
    "coop": {"shared_tokens": 1, "domain_tokens": 2, "context": "shared", "fields": FIELDS, **RICH},
}


@pytest.fixture(scope="module")
def backbone():
    found = small_backbone()
    found.text.requires_grad_(False)
    return found


def build(backbone, **options):
    values = {"context_tokens": 2, "domains": DOMAINS} | options
    prompt = identity_prompt(backbone, 5, **values)
    with torch.no_grad():  # large enough for all tokens to matter
        for name, parameter in prompt.named_parameters():
            parameter.mul_(20 if name == "tokens" else 30)
    return prompt


def naive(backbone, prompt, identity, variant=0, *, domain=None):
    """Encode one identity's sentences the slow way: all positions, nothing shared."""
    texts = []
    for member in range(prompt.ensemble):
        parts = []
        if prompt.shared is not None:
            parts.append(prompt.shared)
        if prompt.domain is not None:
            own = prompt.domain[DOMAINS[identity]] if domain is None else domain
            parts.append(own)
        row = 0 if prompt.options.context == "shared" else identity
        own = prompt.tokens[row]
        parts.append(own[member] if own.ndim == 3 else own)
        tokens = torch.cat(parts)
        sentence = prompt.options.template[member % len(prompt.options.template)]
        sentence = sentence.replace("{tone}", FIELDS.identity["tone"][identity])
        sentence = sentence.replace("{side}", FIELDS.variants[variant]["side"])
        ids, slot = place_context(
            backbone.text, backbone.tokenizer, sentence, context_tokens=len(tokens)
        )
        words = backbone.text.embed_tokens(ids).clone()
        words[0, slot.start : slot.start + slot.length] = tokens
        texts.append(backbone.text.encode_embeddings(words, slot.eot)[0])
    return average_texts(torch.stack(texts)[None])[0]


def test_the_published_sentence_has_twelve_learned_tokens_in_order(backbone):
    prompt = build(backbone, shared_tokens=4, domain_tokens=4, context_tokens=4)
    (slot,) = prompt.slots
    assert (slot.start, slot.length, slot.eot, slot.total) == (5, 12, 19, 77)
    assert prompt.shared.shape == (4, 128)
    assert prompt.domain.shape == (3, 4, 128)
    assert prompt.tokens.shape == (5, 4, 128)
    assert prompt.suffix.shape == (77 - 17, 128)
    assert {n for n, _ in prompt.named_parameters()} == {"shared", "domain", "tokens"}


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_every_text_is_that_of_its_tokens(backbone, kind):
    prompt = build(backbone, **KINDS[kind])
    variants = len(prompt.variants)
    bank = prompt.bank(chunk=4)
    assert bank.shape == (variants, 5, 64)
    labels = torch.arange(5).repeat(variants)
    kinds = torch.arange(variants).repeat_interleave(5)
    texts = prompt(labels, kinds)
    for row, (label, variant) in enumerate(zip(labels.tolist(), kinds.tolist(), strict=True)):
        expected = naive(backbone, prompt, label, variant)
        assert torch.allclose(bank[variant, label], expected, atol=2e-4)
        assert torch.allclose(texts[row], expected, atol=2e-4)
    flat = bank.flatten(0, 1)
    far = torch.cdist(flat, flat) + torch.eye(len(flat))
    assert far.min() > 1e-3  # whether they differ in domain, identity or sentence


@torch.no_grad()
def test_a_tower_that_sees_all_positions():
    whole = small_backbone(text={"no_causal_mask": True})
    prompt = build(whole, **KINDS["both"])
    for identity in range(5):
        expected = naive(whole, prompt, identity)
        assert torch.allclose(prompt.bank()[0, identity], expected, atol=2e-4)


def test_what_all_share_is_encoded_once(backbone):
    prompt = build(backbone, shared_tokens=3, domain_tokens=2)
    seen = []
    block = backbone.text.transformer.resblocks[0]
    hook = block.ln_2.register_forward_hook(lambda m, i, out: seen.append(tuple(out.shape[:2])))
    prompt(torch.tensor([4, 0, 4]))
    hook.remove()
    end = prompt.slots[0].eot + 1
    assert sorted(seen) == [(1, 5 + 3), (2, end - 5 - 3)]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"context_tokens": 4, "dropout": 0.3},
        {"fields": FIELDS, **RICH},
        {"context": "shared", "fields": FIELDS, **RICH},
    ],
)
def test_without_them_a_prompt_is_what_it_was_to_the_bit(backbone, options):
    """Domains, their dropout and words that nothing starts from then change nothing."""
    general = {"shared_tokens": 0, "domain_tokens": 0, "domain_dropout": 0.4, "shared_init": "old"}
    prompts = [
        build(backbone, **options, **extra)
        for extra in ({"domains": None}, {**general, "domains": (0,) * 5})
    ]
    labels, variants = torch.tensor([3, 1, 3, 0]), torch.tensor([0, 1, 1, 0])
    variants = variants if "fields" in options else None
    texts = []
    for prompt in prompts:
        torch.manual_seed(0)
        texts.append(prompt.train()(labels, variants))
        texts[-1].square().sum().backward()
    one, other = prompts
    names = {"tokens", "prefix", "suffix"} | ({"sentences"} if "fields" in options else set())
    assert set(one.state_dict()) == set(other.state_dict()) == names
    assert all(torch.equal(t, other.state_dict()[name]) for name, t in one.state_dict().items())
    assert torch.equal(*texts)
    assert torch.equal(one.tokens.grad, other.tokens.grad)
    assert torch.equal(one.bank(), other.bank())
    if variants is None:
        assert torch.equal(one.neutral(), one.bank()[0])


def test_identity_tokens_start_as_they_would_without(backbone):
    plain, rich = build(backbone, domains=None), build(backbone, **KINDS["both"])
    assert torch.equal(plain.tokens, rich.tokens)
    prompt = identity_prompt(backbone, 5, shared_tokens=9, domain_tokens=9, domains=DOMAINS)
    for tokens in (prompt.shared, prompt.domain):
        assert tokens.std().item() == pytest.approx(0.02, rel=0.1)
    assert not torch.equal(prompt.domain[0], prompt.domain[1])


def test_shared_tokens_hear_all_domains_and_domain_tokens_their_own(backbone):
    prompt = build(backbone, **KINDS["both"])
    alone = []
    for domain in range(3):
        prompt.zero_grad()
        labels = torch.tensor([i for i, own in enumerate(DOMAINS) if own == domain])
        prompt(labels).square().sum().backward()
        alone.append({name: p.grad.clone() for name, p in prompt.named_parameters()})
        moved = prompt.domain.grad.flatten(1).norm(dim=1) > 0
        assert moved.tolist() == [other == domain for other in range(3)]
        assert (prompt.shared.grad.norm(dim=1) > 0).all()
        heard = prompt.tokens.grad.flatten(1).norm(dim=1) > 0
        assert heard.tolist() == [own == domain for own in DOMAINS]
    prompt.zero_grad()
    prompt(torch.arange(5)).square().sum().backward()
    for name, parameter in prompt.named_parameters():
        total = sum(gradients[name] for gradients in alone)
        torch.testing.assert_close(parameter.grad, total, rtol=1e-3, atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_neutral_texts_have_the_mean_of_the_domains(backbone, kind):
    prompt = build(backbone, **KINDS[kind])
    texts = prompt.neutral(chunk=3)
    assert texts.shape == (5, 64)
    mean = None if prompt.domain is None else prompt.domain.mean(dim=0)
    for identity in range(5):
        rows = [
            naive(backbone, prompt, identity, variant, domain=mean)
            for variant in range(len(prompt.variants))
        ]
        expected = average_texts(torch.stack(rows)[None])[0]
        assert torch.allclose(texts[identity], expected, atol=2e-4)
    if kind == "shared":
        assert torch.equal(texts, prompt.bank(chunk=3)[0])


def test_neutral_texts_carry_no_gradient(backbone):
    assert not build(backbone, **KINDS["both"]).neutral().requires_grad


def test_domain_tokens_drop_out_identity_by_identity_while_they_learn(backbone):
    prompt = build(backbone, **KINDS["both"], domain_dropout=0.4)
    labels = torch.tensor([0, 1, 2, 3, 4, 1, 0])
    own, mean = prompt.bank()[0], prompt.neutral()
    assert (own - mean).norm(dim=1).min() > 0.01
    torch.manual_seed(0)
    away = 0
    for _ in range(60):
        texts = prompt.train()(labels).detach()
        to_own = (texts - own[labels]).norm(dim=1)
        to_mean = (texts - mean[labels]).norm(dim=1)
        assert (torch.minimum(to_own, to_mean) < 1e-3).all()  # the one or the other
        dropped = to_mean < to_own
        assert dropped[5] == dropped[1]  # the same for all images of an identity
        assert dropped[6] == dropped[0]
        away += int(dropped[:5].sum())
    assert away / 300 == pytest.approx(0.4, abs=0.08)
    torch.manual_seed(3)
    first = prompt(labels)
    torch.manual_seed(3)
    assert torch.equal(prompt(labels), first)
    assert torch.allclose(prompt.eval()(labels), own[labels], atol=1e-4)
    prompt.train().requires_grad_(False)
    assert torch.allclose(prompt(labels), own[labels], atol=1e-4)


def test_dropped_domains_teach_all_of_them(backbone):
    prompt = build(backbone, **KINDS["both"], domain_dropout=0.99)
    torch.manual_seed(0)
    prompt.train()(torch.tensor([0, 3])).square().sum().backward()  # both of domain 0
    assert (prompt.domain.grad.flatten(1).norm(dim=1) > 0).all()


def test_entries_of_all_tokens_drop_out(backbone, monkeypatch):
    prompt = build(backbone, **KINDS["both"], dropout=0.3)
    seen = []
    encode = prompt.encode_context
    monkeypatch.setattr(
        prompt, "encode_context", lambda c, s: seen.append(c.detach()) or encode(c, s)
    )
    torch.manual_seed(0)
    prompt(torch.arange(5))
    (context,) = seen
    assert context.shape == (5, 7, 128)
    dropped = (context == 0).float().mean(dim=(0, 2))
    assert torch.allclose(dropped, torch.full((7,), 0.3), atol=0.06)
    kept = context[:, :3] != 0
    expected = (prompt.shared.detach() / 0.7).expand(5, -1, -1)
    assert torch.allclose(context[:, :3][kept], expected[kept])
    assert not torch.equal(kept[0], kept[1])


def test_shared_tokens_start_from_words(backbone):
    options = {"shared_tokens": 5, "shared_init": "a photo of a", "domain_tokens": 1}
    prompt = identity_prompt(backbone, 5, domains=DOMAINS, **options)
    words = backbone.text.vocabulary().weight[[320, 1125, 539, 320]]
    assert torch.equal(prompt.shared[:4], words)
    assert prompt.shared[4].std() < 0.03
    other = identity_prompt(backbone, 5, domains=DOMAINS, shared_tokens=5, domain_tokens=1)
    assert torch.equal(other.shared[4], prompt.shared[4])
    assert torch.equal(other.domain, prompt.domain)


@pytest.mark.parametrize("kind", KINDS)
def test_a_description_and_weights_rebuild_the_prompt(backbone, kind):
    options = {"domain_dropout": 0.2, "shared_init": "old"} | KINDS[kind]
    prompt = build(backbone, **options)
    description = json.loads(json.dumps(prompt.describe()))
    other = restored(prompt, backbone, description)
    other.load_state_dict(prompt.state_dict())
    assert other.describe() == prompt.describe()
    assert other.options == prompt.options
    assert torch.equal(other.bank(), prompt.bank())
    assert torch.equal(other.neutral(), prompt.neutral())


def test_a_checkpoint_brings_it_back(tmp_path):
    backbone = small_backbone()
    prompt = build(backbone, **KINDS["both"])
    save_model(tmp_path / "model.safetensors", ReIDModel(backbone, prompt=prompt).eval(), INFO)
    loaded, _ = load_model(tmp_path / "model.safetensors")
    assert torch.equal(loaded.prompt.domains, torch.tensor(DOMAINS))
    assert torch.equal(loaded.prompt.bank(), prompt.eval().bank())
    assert torch.equal(loaded.prompt.neutral(), prompt.neutral())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"domains": None}, "need the domain of each identity"),
        ({"domains": (0, 1, 0)}, r"5 identities, but domains for \(3,\)"),
        ({"domains": (0, 1, 0, 3, 1)}, r"without gaps, got the numbers \[0, 1, 3\]"),
        ({"domains": (0, 1, 0, -1, 1)}, "without gaps"),
        ({"domains": torch.zeros(5)}, "whole numbers, got torch.float32"),
        ({"domains": torch.zeros(5, dtype=torch.bool)}, "whole numbers, got torch.bool"),
        ({"shared_init": "a very large hand"}, r"prompt.shared_init.*4 tokens.*shared_tokens to 4"),
        ({"shared_init": "a {tone} hand"}, "plain words without fields"),
        ({"shared_init": " "}, "Give it words"),
        ({"shared_tokens": 40, "domain_tokens": 40}, "room for 77"),
    ],
)
def test_what_cannot_be_is_said(backbone, options, words):
    given = {"shared_tokens": 2, "domain_tokens": 2, "domains": DOMAINS} | options
    with pytest.raises(ConfigError, match=words):
        identity_prompt(backbone, 5, **given)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shift", [1, 2])
def test_swapped_texts_read_the_tokens_of_another_domain(backbone, kind, shift):
    prompt = build(backbone, **KINDS[kind])
    found = prompt.swapped(shift, chunk=2)
    for variant in range(len(prompt.variants)):
        for identity in range(5):
            other = None
            if prompt.domain is not None:
                other = prompt.domain[(DOMAINS[identity] + shift) % 3]
            expected = naive(backbone, prompt, identity, variant, domain=other)
            assert torch.allclose(found[variant, identity], expected, atol=1e-5)
    if prompt.domain is None:
        assert torch.allclose(found, prompt.bank(), atol=1e-5)
    else:
        assert torch.equal(prompt.swapped(3), prompt.bank())  # three domains: once around
        assert not torch.allclose(found, prompt.bank(), atol=1e-3)
