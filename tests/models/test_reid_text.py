"""Sentences of each image in a whole model: features, gradients, and what is kept of them."""

import copy

import pytest
import torch
from small_heads import small_head
from small_models import INFO, RESNET, VIT, small_backbone
from small_prompts import image_prompt

from promptreid.config.model import EmbeddingConfig, InteractionConfig, ReductionConfig
from promptreid.errors import ConfigError
from promptreid.models.checkpoint import load_model, save_model
from promptreid.models.interaction import MODES, Interaction
from promptreid.models.prompts.image_texts import SENTENCES, Sentences
from promptreid.models.prompts.prompt import average_texts
from promptreid.models.prompts.sentences import SentenceFields
from promptreid.models.reid import ReIDModel, tower_widths

ASPECTS = SentenceFields(variants=({"aspect": "dorsal"}, {"aspect": "palmar"}))
BY_ASPECT = "A photo of the {aspect} side of a {context} hand."
FUSED = EmbeddingConfig(features=("final", "fused"))


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def build(vision=VIT, *, mode="value", embedding=FUSED, sentences=None, head=True, **prompt):
    backbone = small_backbone(vision)
    backbone.text.requires_grad_(False)
    words = image_prompt(backbone, hidden=32, **prompt)
    with torch.no_grad():  # as after some training, so that words depend on their image
        words.inversion.norm.running_var.fill_(1e-3)
    interaction = None
    if mode is not None:
        interaction = Interaction(InteractionConfig(mode=mode, blocks=2), backbone.text.embed_dim)
        with torch.no_grad():  # as after some training: attention that is far from even
            interaction.query.weight.mul_(4)
            if mode == "value":  # its output layer starts at zero
                interaction.output.weight.copy_(draw(64, 64, seed=4) / 8)
    classified = ("fused",) if mode is not None else ("final",)
    widths = tower_widths(backbone, words, interaction)
    return ReIDModel(
        backbone,
        prompt=words,
        interaction=interaction,
        sentences=sentences,
        head=small_head(widths, 4, features=classified) if head else None,
        embedding=embedding,
    ).eval()


def images_of(model, count=4):
    return draw(count, 3, *model.backbone.image.image_size)


def derive(model, images, **options):
    return model.derived(model.features(images), **options)


class Calls:
    """Counts the passes through a model's text tower."""

    def __init__(self, model, monkeypatch):
        self.count = 0
        inner = model.backbone.text.encode_embeddings

        def counted(*args, **kwargs):
            self.count += 1
            return inner(*args, **kwargs)

        monkeypatch.setattr(model.backbone.text, "encode_embeddings", counted)


@pytest.mark.parametrize("vision", [VIT, RESNET], ids=["vit", "resnet"])
@pytest.mark.parametrize("mode", MODES)
@torch.no_grad()
def test_text_and_fused_are_features_like_others(vision, mode):
    model = build(vision, mode=mode)
    images = images_of(model)
    found = derive(model, images)
    assert {name: value.shape for name, value in found.items()} == {
        name: (4, width) for name, width in model.widths.items()
    }
    assert (model.widths["text"], model.widths["fused"]) == (64, 64)
    features = model.features(images)
    tokens = model.backbone.image.project_tokens(features)
    assert torch.equal(found["text"], model.prompt(features.projected))
    assert torch.equal(found["fused"], model.interaction(tokens, found["text"]).feature)
    joined = torch.cat([found["final"], found["fused"]], dim=1)
    assert torch.allclose(
        model.embed(images), torch.nn.functional.normalize(joined, dim=1), atol=1e-6
    )
    assert [len(scores) for scores in model.head.scores(found, "linear")] == [4]


@pytest.mark.parametrize("mode", MODES)
@torch.no_grad()
def test_composed_texts_are_of_the_image_and_simplified_ones_are_not(mode):
    model = build(mode=mode)
    images = images_of(model)
    composed = derive(model, images, prompt="composed")
    plain = derive(model, images, prompt="simplified")
    assert torch.pdist(composed["text"]).min() > 0.01 * composed["text"].norm(dim=1).mean()
    assert torch.equal(plain["text"], model.prompt.constant().expand(4, -1))
    assert torch.equal(plain["final"], composed["final"])
    change = (plain["fused"] - composed["fused"]).norm(dim=1) / composed["fused"].norm(dim=1)
    assert change.min() > 1e-3


@pytest.mark.parametrize(("training", "retrieval"), [SENTENCES, SENTENCES[::-1]])
@torch.no_grad()
def test_the_kind_is_that_of_the_recipe_unless_it_is_asked_for(training, retrieval):
    model = build(sentences=Sentences(training, retrieval))
    images = images_of(model)
    texts = {kind: derive(model, images, prompt=kind)["text"] for kind in SENTENCES}
    assert torch.equal(derive(model, images)["text"], texts[retrieval])
    assert torch.equal(derive(model, images, training=True)["text"], texts[training])
    embeddings = {kind: model.embed(images, prompt=kind) for kind in SENTENCES}
    assert torch.equal(model.embed(images), embeddings[retrieval])
    assert not torch.allclose(embeddings["composed"], embeddings["simplified"], atol=1e-5)
    assert model.sentences == Sentences(training, retrieval)


@pytest.mark.parametrize("vision", [VIT, RESNET], ids=["vit", "resnet"])
@pytest.mark.parametrize("mode", MODES)
def test_a_loss_on_the_fused_feature_teaches_the_word_through_the_frozen_text(vision, mode):
    model = build(vision, mode=mode)
    model.learn(["image", "prompt", "interaction", "head"])
    model.prompt.train()
    found = derive(model, images_of(model), training=True)
    (found["fused"] * draw(4, 64, seed=1)).sum().backward()
    for name, parameter in model.prompt.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    assert all(p.grad is None for p in model.backbone.text.parameters())
    assert model.backbone.image.conv1.weight.grad.abs().max() > 0
    model.zero_grad()
    found = derive(model, images_of(model), prompt="simplified")
    (found["fused"] * draw(4, 64, seed=1)).sum().backward()
    assert all(p.grad is None for p in model.prompt.parameters())


@pytest.mark.parametrize("kind", SENTENCES)
@pytest.mark.parametrize("mode", [*MODES, None])
@torch.no_grad()
def test_an_embedding_does_not_depend_on_the_rest_of_the_batch(mode, kind):
    features = ("final", "text") if mode is None else ("final", "fused", "text")
    model = build(mode=mode, embedding=EmbeddingConfig(features=features))
    images = images_of(model, 5)
    together = model.embed(images, prompt=kind)
    alone = torch.cat([model.embed(image[None], prompt=kind) for image in images])
    assert torch.allclose(together, alone, atol=1e-5)


@torch.no_grad()
def test_without_an_interaction_there_is_text_alone():
    model = build(mode=None, embedding=EmbeddingConfig(features=("final", "projected")))
    found = derive(model, images_of(model))
    assert list(found) == ["penultimate", "final", "projected", "text"]
    bare = build(mode=None, embedding=EmbeddingConfig(features=("text",)), head=False)
    assert "fused" not in bare.widths
    assert bare.embed(images_of(bare)).shape == (4, 64)


@torch.no_grad()
def test_sentences_that_no_embedding_reads_are_not_encoded(monkeypatch):
    model = build(mode=None, embedding=EmbeddingConfig(features=("final", "projected")))
    calls = Calls(model, monkeypatch)
    images = images_of(model)
    found = derive(model, images)
    assert (calls.count, model.reads_sentence) == (1, False)
    joined = torch.cat([found["final"], found["projected"]], dim=1)
    assert torch.equal(model.embed(images), torch.nn.functional.normalize(joined, dim=1))
    assert calls.count == 1
    after = build(embedding=EmbeddingConfig(features=("fused",), neck="after"))
    assert after.reads_sentence
    assert after.embed(images).shape == (4, 64)


@torch.no_grad()
def test_a_feature_made_of_the_fused_one_reads_the_sentence():
    model = build()
    widths = tower_widths(model.backbone, model.prompt, model.interaction)
    reduced = small_head(widths, 0, features=("reduced",), reduction=ReductionConfig(of="fused"))
    model = ReIDModel(
        model.backbone,
        prompt=model.prompt,
        interaction=model.interaction,
        head=reduced,
        embedding=EmbeddingConfig(features=("reduced",)),
    ).eval()
    assert model.reads_sentence
    images = images_of(model)
    kinds = [model.embed(images, prompt=kind) for kind in SENTENCES]
    assert not torch.allclose(*kinds, atol=1e-5)


def test_simplified_texts_are_computed_once_and_only_without_gradients(monkeypatch):
    model = build(sentences=Sentences("simplified", "simplified"))
    calls = Calls(model, monkeypatch)
    images = images_of(model)
    with torch.no_grad():
        first = model.embed(images)
        assert torch.equal(model.embed(images), first)
        assert calls.count == 1
        model.embed(images, prompt="composed")
        assert calls.count == 2
        model.embed(images)
        assert calls.count == 2
    model.embed(images)  # a step that learns could change the tower at any time
    assert calls.count == 3


CHANGES = {
    "load_state_dict": lambda m: m.backbone.text.load_state_dict(other_text(m)),
    "assign": lambda m: m.backbone.text.load_state_dict(other_text(m), assign=True),
    "in place": lambda m: m.backbone.text.ln_final.bias.add_(1),
    "words": lambda m: m.prompt.plain.mul_(-1),
    "train": lambda m: m.backbone.text.ln_final.bias.data.add_(1) is m.train() is m.eval(),
    "tower replaced": lambda m: setattr(m.backbone.text, "ln_final", torch.nn.Identity()),
}


def other_text(model):
    state = model.backbone.text.state_dict()
    return {name: value + 0.1 * (value.dtype == torch.float32) for name, value in state.items()}


@pytest.mark.parametrize("change", CHANGES)
@torch.no_grad()
def test_kept_texts_are_forgotten_when_what_they_are_made_of_changes(change):
    model = build()
    images = images_of(model)
    before = derive(model, images, prompt="simplified")["text"].clone()
    CHANGES[change](model)
    after = derive(model, images, prompt="simplified")["text"]
    assert torch.equal(after, model.prompt.constant().expand(4, -1))
    assert not torch.allclose(after, before, atol=1e-3)


@torch.no_grad()
def test_kept_texts_follow_the_type_of_number():
    model = build(mode=None, embedding=EmbeddingConfig(features=("text",)))
    images = images_of(model)
    exact = derive(model, images, prompt="simplified")["text"]
    model.to(torch.float64)
    wide = derive(model, images.double(), prompt="simplified")["text"]
    assert wide.dtype == torch.float64
    assert torch.allclose(wide.float(), exact, atol=1e-5)
    model.to(torch.bfloat16).to(torch.float32)  # the weights are rounded now
    rounded = derive(model, images, prompt="simplified")["text"]
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, exact)


@pytest.mark.parametrize("lower_first", [True, False])
@torch.no_grad()
def test_autocast_does_not_decide_what_is_kept(lower_first):
    model = build(mode=None, embedding=EmbeddingConfig(features=("text",)))
    images = images_of(model)
    exact = model.prompt.constant().expand(4, -1)
    for lower in (lower_first, not lower_first):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=lower):
            found = derive(model, images, prompt="simplified")["text"]
        assert torch.equal(found, exact)


def test_texts_kept_in_inference_mode_do_not_stop_learning():
    model = build(sentences=Sentences("simplified", "simplified"))
    images = images_of(model)
    with torch.inference_mode():
        model.embed(images)
    with torch.no_grad():
        text = derive(model, images, prompt="simplified")["text"]
    assert not text.is_inference()
    model.learn(["interaction"])
    found = derive(model, images, training=True)["fused"]
    (found * draw(4, 64, seed=1)).sum().backward()
    assert model.interaction.query.weight.grad.abs().max() > 0


@torch.no_grad()
def test_a_copy_keeps_texts_of_its_own():
    model = build()
    images = images_of(model)
    before = model.embed(images, prompt="simplified")
    other = copy.deepcopy(model)
    other.backbone.text.ln_final.bias.add_(1)
    assert not torch.allclose(other.embed(images, prompt="simplified"), before, atol=1e-4)
    assert torch.equal(model.embed(images, prompt="simplified"), before)


@pytest.mark.parametrize("kind", SENTENCES)
@torch.no_grad()
def test_an_image_of_unknown_sentence_gets_the_average(kind):
    model = build(template=BY_ASPECT, fields=ASPECTS)
    images = images_of(model, 3)
    each = [
        derive(model, images, variants=torch.full((3,), number), prompt=kind)["text"]
        for number in range(2)
    ]
    assert not torch.allclose(*each, atol=1e-3)
    found = derive(model, images, prompt=kind)["text"]
    assert torch.allclose(found, average_texts(torch.stack(each, dim=1)), atol=1e-5)
    mixed = derive(model, images, variants=torch.tensor([1, 0, 1]), prompt=kind)["text"]
    expected = torch.stack([each[1][0], each[0][1], each[1][2]])
    assert torch.allclose(mixed, expected, atol=1e-5)


def test_unknown_sentences_count_each_image_once_in_the_word_norm():
    model = build(template=BY_ASPECT, fields=ASPECTS)
    images = images_of(model, 3)
    norms = []
    for variants in (None, torch.tensor([0, 1, 0])):
        copied = copy.deepcopy(model)
        copied.prompt.train()
        derive(copied, images, variants=variants)
        norms.append(copied.prompt.inversion.norm.running_var)
    assert torch.allclose(*norms)


@pytest.mark.parametrize("mode", [*MODES, None])
@pytest.mark.parametrize("vision", [VIT, RESNET], ids=["vit", "resnet"])
@torch.no_grad()
def test_a_checkpoint_gives_the_same_bits(vision, mode, tmp_path):
    features = ("final", "text") if mode is None else ("final", "fused")
    model = build(
        vision,
        mode=mode,
        embedding=EmbeddingConfig(features=features),
        sentences=Sentences("composed", "simplified"),
        template=BY_ASPECT,
        fields=ASPECTS,
    )
    path = tmp_path / "last.safetensors"
    save_model(path, model, INFO)
    again, _ = load_model(path)
    assert again.describe() == model.describe()
    images, variants = images_of(model), torch.tensor([0, 1, 1, 0])
    for kind in (*SENTENCES, None):
        for which in (variants, None):
            found = again.embed(images, variants=which, prompt=kind)
            assert torch.equal(found, model.embed(images, variants=which, prompt=kind))
    assert again.sentences == Sentences("composed", "simplified")


@torch.no_grad()
def test_kinds_of_sentences_that_are_not_there_are_refused():
    model = build()
    with pytest.raises(ConfigError, match="'simplified'"):
        model.embed(images_of(model), prompt="simplifed")
    plain = ReIDModel(small_backbone()).eval()
    with pytest.raises(ConfigError, match="Simplified sentences are those of an image prompt"):
        plain.embed(images_of(plain), prompt="simplified")
    with pytest.raises(ConfigError, match="kind of sentence"):
        Sentences("composed", "constant")
