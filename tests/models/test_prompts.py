import pytest
import torch
from small_models import small_backbone

from promptreid.errors import ConfigError, WeightsError
from promptreid.models.prompts import IdentityPrompt, encode_sentences, place_context


@pytest.fixture(scope="module")
def backbone():
    return small_backbone()


@pytest.fixture
def prompt(backbone):
    backbone.text.requires_grad_(False)
    return IdentityPrompt(backbone.text, backbone.tokenizer, 6)


def test_published_template_gives_the_published_tokens(backbone):
    tokens, slot = place_context(
        backbone.text, backbone.tokenizer, "A photo of a {context} person.", context_tokens=4
    )
    expected = [49406, 320, 1125, 539, 320, 343, 343, 343, 343, 2533, 269, 49407]
    assert tokens[0, :12].tolist() == expected
    assert tokens[0, 12:].unique().tolist() == [0]
    assert (slot.start, slot.length, slot.eot, slot.total) == (5, 4, 11, 77)
    vehicle, _ = place_context(
        backbone.text, backbone.tokenizer, "A photo of a {context} vehicle.", context_tokens=4
    )
    assert vehicle[0, 9] == 5299


@pytest.mark.parametrize(
    ("template", "count", "start", "eot"),
    [
        ("{context} person", 1, 1, 3),
        ("A photo of a {context}", 3, 5, 8),
        ("An X ray of x {context}, by X.", 2, 6, 12),
        ("a {context}.", 8, 2, 11),
    ],
)
def test_the_slot_follows_the_template(backbone, template, count, start, eot):
    tokens, slot = place_context(backbone.text, backbone.tokenizer, template, context_tokens=count)
    assert (slot.start, slot.eot) == (start, eot)
    assert tokens[0, start : start + count].tolist() == [343] * count
    assert tokens[0, eot] == 49407


def test_learned_tokens_take_the_place_of_the_fillers(backbone, prompt):
    tokens, slot = place_context(
        backbone.text, backbone.tokenizer, prompt.template, context_tokens=4
    )
    with torch.no_grad():
        words = backbone.text.embed_tokens(tokens)
        filler = words[:, slot.start : slot.start + slot.length]
        assert torch.allclose(prompt.encode(filler), backbone.text.encode_tokens(tokens), atol=1e-5)
        words[:, slot.start : slot.start + slot.length] = prompt.tokens[2]
        expected = backbone.text.encode_embeddings(words, slot.eot)
        assert torch.allclose(prompt(torch.tensor([2])), expected, atol=1e-5)


def test_identities_differ_and_gradients_reach_their_tokens(prompt):
    features = prompt(torch.tensor([1, 4, 1]))
    assert torch.equal(features[0], features[2])
    assert (features[0] - features[1]).abs().max() > 1e-3
    features[:2].sum().backward()
    moved = prompt.tokens.grad.abs().sum(dim=2)
    assert (moved[[1, 4]] > 0).all()
    assert moved[[0, 2, 3, 5]].abs().max() == 0
    assert all(parameter.grad is None for parameter in prompt.text.parameters())


def test_repeated_labels_add_their_gradients(prompt):
    prompt(torch.tensor([3, 3, 0])).sum().backward()
    twice = prompt.tokens.grad.clone()
    prompt.zero_grad()
    prompt(torch.tensor([3, 0])).sum().backward()
    assert torch.allclose(twice[3], 2 * prompt.tokens.grad[3], rtol=1e-4, atol=1e-6)
    assert torch.allclose(twice[0], prompt.tokens.grad[0], rtol=1e-4, atol=1e-6)


def test_each_distinct_identity_is_encoded_once(backbone, prompt):
    seen = []
    block = backbone.text.transformer.resblocks[0]
    hook = block.mlp.register_forward_hook(lambda module, inputs, out: seen.append(out.shape[0]))
    prompt(torch.tensor([5, 5, 0, 5, 0]))
    hook.remove()
    assert sorted(seen) == [1, 2]  # the common beginning once, two distinct rests


@pytest.mark.parametrize("chunk", [1, 4, 64])
def test_the_bank_holds_every_identity(prompt, chunk):
    bank = prompt.bank(chunk=chunk)
    assert not bank.requires_grad
    assert torch.allclose(bank, prompt(torch.arange(6)).detach(), atol=1e-5)


def test_tokens_start_small_and_from_the_generator(backbone):
    def tokens(seed):
        generator = torch.Generator().manual_seed(seed)
        made = IdentityPrompt(backbone.text, backbone.tokenizer, 50, generator=generator)
        return made.tokens.detach()

    assert torch.equal(tokens(1), tokens(1))
    assert not torch.equal(tokens(1), tokens(2))
    assert tokens(1).std() == pytest.approx(0.02, rel=0.05)
    assert tokens(1).mean().abs() < 1e-3


def test_the_text_tower_is_not_part_of_the_prompt(prompt):
    assert set(prompt.state_dict()) == {"tokens", "prefix", "suffix"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"template": "A photo of a person."}, "exactly once"),
        ({"template": "{context} and {context}"}, "exactly once"),
        ({"context_tokens": 80}, "room for 77"),
        ({"context_tokens": 71}, "takes 79 tokens"),
        ({"template": "A{context}b"}, "apart"),
        ({"template": "A{context}", "context_tokens": 1}, "apart"),
        ({"context_tokens": 0}, "at least one"),
        ({"identities": 0}, "at least one"),
    ],
)
def test_impossible_prompts_are_refused(backbone, arguments, words):
    identities = arguments.pop("identities", 3)
    with pytest.raises(ConfigError, match=words):
        IdentityPrompt(backbone.text, backbone.tokenizer, identities, **arguments)


def test_the_longest_prompt_fits(backbone):
    prompt = IdentityPrompt(backbone.text, backbone.tokenizer, 1, context_tokens=69)
    assert prompt.slot.eot == 76
    assert prompt.bank().shape == (1, 64)


def test_restoring_a_description_gives_the_same_features(backbone, prompt):
    other = IdentityPrompt.restore(backbone.text, prompt.describe())
    other.load_state_dict(prompt.state_dict())
    assert torch.equal(other.bank(), prompt.bank())
    assert other.describe() == prompt.describe()


def test_sentences(backbone):
    sentences = ["a hand", "A hand!", "the back of a left hand"]
    features = encode_sentences(backbone.text, backbone.tokenizer, sentences, chunk=2)
    assert features.shape == (3, 64)
    whole = backbone.text.encode_tokens(backbone.tokenizer(sentences))
    assert torch.allclose(features, whole, atol=1e-5)
    assert not features.requires_grad
    assert encode_sentences(backbone.text, backbone.tokenizer, []).shape == (0, 64)
    with pytest.raises(ConfigError, match="room for 77"):
        encode_sentences(backbone.text, backbone.tokenizer, ["word " * 90])


def test_sentences_need_a_vocabulary():
    backbone = small_backbone()
    backbone.text.drop_vocabulary()
    with pytest.raises(WeightsError, match="no word embeddings"):
        encode_sentences(backbone.text, backbone.tokenizer, ["a hand"])
