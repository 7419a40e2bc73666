import json

import pytest
import torch
from small_models import small_backbone
from small_prompts import identity_prompt, restored

from promptreid.errors import ConfigError, WeightsError
from promptreid.models.prompts.context_positions import encode_sentences, place_context
from promptreid.models.prompts.prompt import average_texts
from promptreid.models.prompts.sentences import SentenceFields


@pytest.fixture(scope="module")
def backbone():
    return small_backbone()


def build(backbone, identities, **options):
    return identity_prompt(backbone, identities, **options)


@pytest.fixture
def prompt(backbone):
    backbone.text.requires_grad_(False)
    return build(backbone, 6)


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
        backbone.text, backbone.tokenizer, prompt.options.template[0], context_tokens=4
    )
    with torch.no_grad():
        words = backbone.text.embed_tokens(tokens)
        filler = words[:, slot.start : slot.start + slot.length]
        assert torch.allclose(
            prompt.encode_after(prompt.prefix, filler),
            backbone.text.encode_tokens(tokens),
            atol=1e-5,
        )
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
    hook = block.ln_2.register_forward_hook(lambda module, inputs, out: seen.append(out.shape[0]))
    prompt(torch.tensor([5, 5, 0, 5, 0]))
    hook.remove()
    assert sorted(seen) == [1, 2]  # the common beginning once, two distinct rests


@pytest.mark.parametrize("chunk", [1, 4, 64])
def test_the_bank_holds_every_identity(prompt, chunk):
    bank = prompt.bank(chunk=chunk)
    assert bank.shape == (1, 6, 64)
    assert not bank.requires_grad
    assert torch.allclose(bank[0], prompt(torch.arange(6)).detach(), atol=1e-5)


def test_tokens_start_small_and_from_the_generator(backbone):
    def tokens(seed):
        generator = torch.Generator().manual_seed(seed)
        made = build(backbone, 50, generator=generator)
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
        ({"template": "A {context"}, "not closed"),
        ({"template": ("a {context}", "the {context}")}, "prompt.ensemble to 2"),
        ({"template": "a {context} of a {tone} hand"}, "no attribute named 'tone'"),
        ({"init": "a very large brown hand"}, r"takes 5 tokens; there are 4.*context_tokens to 5"),
        ({"init": " "}, "Give it words"),
        ({"init": "a {context}"}, "prompt.init"),
        ({"context": "shared"}, "reads the same for all 3"),
        ({"context_tokens": 80}, "room for 77"),
        ({"context_tokens": 71}, "takes 79 tokens"),
        ({"template": "A{context}b"}, "apart"),
        ({"template": "A{context}", "context_tokens": 1}, "apart"),
        ({"identities": 0}, "at least one"),
    ],
)
def test_impossible_prompts_are_refused(backbone, arguments, words):
    identities = arguments.pop("identities", 3)
    with pytest.raises(ConfigError, match=words):
        build(backbone, identities, **arguments)


def test_the_longest_prompt_fits(backbone):
    prompt = build(backbone, 1, context_tokens=69)
    assert prompt.slots[0].eot == 76
    assert prompt.bank().shape == (1, 1, 64)


def test_restoring_a_description_gives_the_same_features(backbone, prompt):
    other = restored(prompt, backbone, prompt.describe())
    other.load_state_dict(prompt.state_dict())
    assert torch.equal(other.bank(), prompt.bank())
    assert other.describe() == prompt.describe()


FIELDS = SentenceFields(
    identity={"tone": ("dark", "very_fair", "dark"), "sex": ("female", "male", "male")},
    variants=({"side": "palmar_left"}, {"side": "back"}),
)
TWO = ("a {side} view of a {context} {tone} hand", "{context}, {sex}")
SENTENCES = {  # variant, identity, member
    (0, 0, 0): "a palmar left view of a {context} dark hand",
    (0, 1, 0): "a palmar left view of a {context} very fair hand",
    (0, 2, 0): "a palmar left view of a {context} dark hand",
    (1, 0, 0): "a back view of a {context} dark hand",
    (1, 1, 0): "a back view of a {context} very fair hand",
    (1, 2, 0): "a back view of a {context} dark hand",
    **{(v, 0, 1): "{context}, female" for v in (0, 1)},
    **{(v, c, 1): "{context}, male" for v in (0, 1) for c in (1, 2)},
}


def naive_text(backbone, sentence, context):
    """Encode one sentence the slow way: all positions, nothing shared."""
    tokens, slot = place_context(
        backbone.text, backbone.tokenizer, sentence, context_tokens=len(context)
    )
    words = backbone.text.embed_tokens(tokens).clone()
    words[0, slot.start : slot.start + slot.length] = context
    return backbone.text.encode_embeddings(words, slot.eot)[0]


@pytest.fixture(params=["identity", "shared"])
def rich(backbone, request):
    backbone.text.requires_grad_(False)
    return build(
        backbone,
        3,
        template=TWO,
        ensemble=4,
        context_tokens=2,
        context=request.param,
        fields=FIELDS,
    )


def test_every_sentence_is_the_one_its_fields_say(backbone, rich):
    assert rich.tokens.shape == (3 if rich.options.context == "identity" else 1, 4, 2, 128)
    bank = rich.bank(chunk=5)
    assert bank.shape == (2, 3, 64)
    with torch.no_grad():
        for variant in range(2):
            for identity in range(3):
                row = identity if rich.options.context == "identity" else 0
                texts = [
                    naive_text(
                        backbone, SENTENCES[variant, identity, member % 2], rich.tokens[row, member]
                    )
                    for member in range(4)
                ]
                units = [text / text.norm() for text in texts]
                mean = sum(units) / 4
                length = sum(text.norm() for text in texts) / 4
                expected = length * mean / mean.norm()
                assert torch.allclose(bank[variant, identity], expected, atol=1e-5)


def test_forward_is_the_bank_for_every_identity_and_variant(rich):
    bank = rich.bank()
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 1])
    variants = torch.tensor([0, 0, 0, 1, 1, 1, 0])
    assert torch.allclose(rich(labels, variants).detach(), bank[variants, labels], atol=1e-5)


def test_sentences_of_different_identities_and_samples_differ(rich):
    bank = rich.bank().flatten(0, 1)
    distances = torch.cdist(bank, bank)
    if (
        rich.options.context == "shared"
    ):  # identities 1 and 2 differ in tone only, 0 and 2 in sex only
        assert (distances[~torch.eye(6, dtype=torch.bool)] > 1e-3).all()
    assert distances[0, 1] > 1e-3
    assert distances[0, 3] > 1e-3


def test_sentences_that_depend_on_the_sample_need_its_variant(rich):
    with pytest.raises(ValueError, match="variants must be given"):
        rich(torch.tensor([0]))


def test_gradients_reach_the_tokens_of_the_identities_asked_for(rich):
    rich(torch.tensor([2, 0]), torch.tensor([1, 0])).square().sum().backward()
    moved = rich.tokens.grad.abs().sum(dim=(1, 2, 3)) > 0
    assert moved.tolist() == ([True, False, True] if rich.options.context == "identity" else [True])
    assert (rich.tokens.grad.abs().sum(dim=3)[moved] > 0).all()  # each token of each member


def test_gradients_are_those_of_the_slow_way(backbone):
    backbone.text.requires_grad_(False)
    fields = SentenceFields(identity={"tone": ("dark", "very_fair")})
    prompt = build(backbone, 2, template="a {tone} {context} hand", fields=fields)
    prompt(torch.tensor([0, 1, 0])).pow(3).sum().backward()
    found = prompt.tokens.grad.clone()
    prompt.zero_grad()
    dark = naive_text(backbone, "a dark {context} hand", prompt.tokens[0])
    fair = naive_text(backbone, "a very fair {context} hand", prompt.tokens[1])
    (2 * dark.pow(3).sum() + fair.pow(3).sum()).backward()
    assert torch.allclose(found, prompt.tokens.grad, rtol=1e-3, atol=1e-4)


def test_each_distinct_sentence_is_encoded_once(backbone):
    prompt = build(backbone, 3, template=TWO[0], fields=FIELDS, context="shared")
    seen = []
    block = backbone.text.transformer.resblocks[0]
    hook = block.ln_2.register_forward_hook(lambda module, inputs, out: seen.append(out.shape[0]))
    prompt(torch.tensor([0, 1, 2, 0]), torch.tensor([0, 0, 0, 1]))
    hook.remove()
    assert sorted(seen) == [1, 3]  # identities 0 and 2 share a sentence and its tokens


def test_fields_change_the_text(backbone):
    tones = [SentenceFields(identity={"tone": (tone, "fair")}) for tone in ("dark", "pale")]
    one, two = (
        build(backbone, 2, template="a {context} {tone} hand", fields=fields).bank()[0]
        for fields in tones
    )
    assert (one[0] - two[0]).norm() > 1e-3
    assert torch.allclose(one[1], two[1], atol=1e-5)


def test_the_tokens_stand_where_the_sentence_says(backbone):
    places = ("{context} a hand", "a {context} hand", "a hand {context}")
    banks = [build(backbone, 2, template=place).bank()[0] for place in places]
    assert all((banks[a] - banks[b]).norm() > 1e-3 for a, b in [(0, 1), (1, 2), (0, 2)])


def test_shared_tokens_in_one_sentence_for_all_are_refused(backbone):
    same = SentenceFields({"tone": ("dark", "dark")}, ({"side": "left"}, {"side": "right"}))
    with pytest.raises(ConfigError, match="tell identities apart"):
        build(backbone, 2, template="a {tone} {side} {context}", fields=same, context="shared")
    differing = SentenceFields({"tone": ("dark", "fair")})
    made = build(backbone, 2, template="a {tone} {context}", fields=differing, context="shared")
    bank = made.bank()[0]
    assert (bank[0] - bank[1]).norm() > 1e-3


def test_fields_must_cover_the_identities(backbone):
    with pytest.raises(ConfigError, match="2 values for 3 identities"):
        build(backbone, 3, fields=SentenceFields({"tone": ("dark", "fair")}))


def test_tokens_start_from_words(backbone):
    fields = SentenceFields({"tone": ("dark", "very_fair")})
    options = {"context_tokens": 4, "generator": torch.Generator().manual_seed(5)}
    prompt = build(backbone, 2, init="{tone} hand", fields=fields, **options)
    words = backbone.text.vocabulary().weight
    for row, sentence in enumerate(("dark hand", "very fair hand")):
        ids = backbone.tokenizer.encode(sentence)
        assert torch.equal(prompt.tokens[row, : len(ids)], words[ids])
    options["generator"].manual_seed(5)
    plain = build(backbone, 2, **options)
    assert torch.equal(prompt.tokens[0, 2:], plain.tokens[0, 2:])  # the rest is as random
    assert torch.equal(prompt.tokens[1, 3:], plain.tokens[1, 3:])
    with torch.no_grad():  # a template around its words is that sentence
        full = build(backbone, 2, template="a {context} hand", init="very large old brown")
        sentence = encode_sentences(
            backbone.text, backbone.tokenizer, ["a very large old brown hand"]
        )
        assert torch.allclose(full.bank()[0], sentence.expand(2, -1), atol=1e-5)


def test_members_of_an_ensemble_do_not_start_alike(backbone):
    templates = ("a {context} hand", "the {context} hand")
    prompt = build(backbone, 2, template=templates, ensemble=3, init="old", context_tokens=2)
    word = backbone.text.vocabulary().weight[backbone.tokenizer.encode("old")[0]]
    assert torch.equal(prompt.tokens[:, :2, 0], word.expand(2, 2, -1))
    away = prompt.tokens.detach()[:, 2, 0] - word
    assert away.std().item() == pytest.approx(0.02, rel=0.2)
    assert (away[0] - away[1]).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("init", "options", "words"),
    [
        ("{side}", {}, "'side' varies within an identity"),
        ("{age}", {}, "no attribute named 'age'"),
        ("{sex}", {"context": "shared"}, "differently for each identity"),
    ],
)
def test_impossible_beginnings_are_refused(backbone, init, options, words):
    with pytest.raises(ConfigError, match=words):
        build(backbone, 3, template=TWO[0], fields=FIELDS, init=init, **options)


def test_shared_tokens_start_from_words(backbone):
    prompt = build(
        backbone, 3, template=TWO[0], fields=FIELDS, init="old", context="shared", context_tokens=1
    )
    word = backbone.text.vocabulary().weight[backbone.tokenizer.encode("old")]
    assert torch.equal(prompt.tokens[0, 0], word)


def test_tokens_drop_out_only_while_they_learn(backbone):
    backbone.text.requires_grad_(False)
    prompt = build(backbone, 2, dropout=0.5)
    labels = torch.tensor([0, 1])
    still = prompt.eval()(labels)
    assert torch.equal(prompt(labels), still)
    prompt.train()
    torch.manual_seed(0)
    first = prompt(labels)
    assert (first - still).abs().max() > 1e-3
    assert (prompt(labels) - first).abs().max() > 1e-3
    torch.manual_seed(0)
    assert torch.equal(prompt(labels), first)
    assert torch.allclose(prompt.bank()[0], still, atol=1e-5)
    prompt.requires_grad_(False)
    assert torch.equal(prompt(labels), still)


def test_dropped_entries_are_zero_and_the_others_scaled_up(backbone, monkeypatch):
    backbone.text.requires_grad_(False)
    prompt = build(backbone, 40, dropout=0.2)
    seen = []
    encode = prompt.encode_context
    monkeypatch.setattr(
        prompt, "encode_context", lambda c, s: seen.append(c.detach()) or encode(c, s)
    )
    torch.manual_seed(0)
    prompt(torch.arange(40))
    kept = seen[0] != 0
    assert (~kept).float().mean() == pytest.approx(0.2, abs=0.02)
    assert torch.allclose(seen[0][kept], prompt.tokens.detach()[kept] / 0.8)


def test_average_of_one_is_itself_and_of_several_has_the_mean_length():
    texts = torch.tensor([[[3.0, 0.0], [0.0, 1.0]]])
    assert torch.equal(average_texts(texts[:, :1]), texts[:, 0])
    assert torch.allclose(average_texts(texts), torch.tensor([[2.0, 2.0]]) / 2**0.5)


def test_default_weights_have_the_published_shapes(backbone):
    prompt = build(backbone, 6, dropout=0.1)
    shapes = {name: tuple(tensor.shape) for name, tensor in prompt.state_dict().items()}
    assert shapes == {"tokens": (6, 4, 128), "prefix": (5, 128), "suffix": (68, 128)}


def test_a_rich_prompt_is_restored_from_its_description(backbone, rich):
    description = json.loads(json.dumps(rich.describe()))
    other = restored(rich, backbone, description)
    other.load_state_dict(rich.state_dict())
    assert torch.equal(other.bank(), rich.bank())
    assert other.describe() == rich.describe()
    assert other.variants == FIELDS.variants
    labels, variants = torch.tensor([2, 1]), torch.tensor([0, 1])
    assert torch.equal(other(labels, variants), rich(labels, variants))


def test_fields_that_no_template_names_leave_one_sentence(backbone):
    prompt = build(backbone, 3, fields=FIELDS)
    assert set(prompt.state_dict()) == {"tokens", "prefix", "suffix"}
    assert torch.equal(prompt.bank(), build(backbone, 3).bank().expand(2, -1, -1))


def test_towers_that_see_all_positions_read_several_sentences():
    backbone = small_backbone(text={"no_causal_mask": True})
    prompt = build(backbone, 3, template=TWO, ensemble=2, fields=FIELDS, context_tokens=2)
    with torch.no_grad():
        texts = [naive_text(backbone, SENTENCES[1, 1, m], prompt.tokens[1, m]) for m in (0, 1)]
        assert torch.allclose(
            prompt.bank()[1, 1], average_texts(torch.stack(texts)[None])[0], atol=1e-5
        )


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
