"""Sentences compare with projected features, and models say how far to trust them."""

import numpy as np
import pytest
import torch
from facts import lacking
from small_models import INFO, small_backbone
from torch.nn import functional as F

from promptreid.config.model import EmbeddingConfig
from promptreid.config.recipes import load_recipe
from promptreid.data.images.image_store import ImageStore
from promptreid.errors import ConfigError, WeightsError
from promptreid.gallery.embedder_model import EmbedderModel
from promptreid.gallery.vector_model import GalleryImage
from promptreid.inference.embedder import Embedder
from promptreid.inference.embedding_loop import SideRows
from promptreid.inference.text_side import (
    compares_directly,
    describe_tuning,
    embed_for_both,
    encode_queries,
    explain_no_text,
    find_text_width,
)
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.text_tower import AbsentText


def build(features=("final", "projected"), *, pretrained="somewhere", recipe=None):
    backbone = small_backbone()
    backbone.pretrained = pretrained
    model = ReIDModel(backbone, embedding=EmbeddingConfig(features=list(features)))
    return Embedder(model.eval(), INFO.updated(recipe=recipe))


@pytest.fixture(scope="module")
def embedder():
    return build()


@pytest.fixture(scope="module")
def paths(crops):
    return sorted(crops.rglob("*.png"))[:18]


def test_one_pass_gives_what_two_would(embedder, paths):
    store = ImageStore(paths, (64, 64), embedder.preprocess.test_interpolation, cache=False)
    vectors, projected = embed_for_both(embedder, store, SideRows(), batch_size=7)
    torch.testing.assert_close(vectors, embedder.embed(paths), atol=1e-6, rtol=0)
    pixels = torch.cat([images for _, images in embedder.batches(store, title="")])
    with torch.no_grad():
        expected = F.normalize(embedder.model.features(pixels).projected, dim=1)
    torch.testing.assert_close(projected, expected, atol=1e-6, rtol=0)


def test_a_gallery_gets_both_or_the_one_that_is_enough(embedder, paths):
    images = [GalleryImage(path) for path in paths]
    model = EmbedderModel(embedder)
    vectors, for_texts = model.both_vectors(images)
    assert for_texts.shape == (18, model.text_width) == (18, 64)
    np.testing.assert_allclose(vectors, model.vectors(images), atol=1e-6)
    plain = EmbedderModel(build(["projected"]))
    vectors, none = plain.both_vectors(images)
    assert none is None
    assert plain.text_width is None
    np.testing.assert_allclose(vectors, for_texts, atol=1e-6)
    assert compares_directly(build(["projected"]).model)
    assert not compares_directly(embedder.model)


def test_sentences_are_averaged_over_templates(embedder):
    templates = ["a photo of {text}.", "{text} seen by a camera"]
    vectors = encode_queries(embedder, ["a red coat", "somebody"], templates)
    for row, words in zip(vectors, ("a red coat", "somebody"), strict=True):
        parts = [embedder.embed_text(one.format(text=words))[0] for one in templates]
        mean = torch.stack(parts).double().mean(0)
        torch.testing.assert_close(row.double(), mean / mean.norm(), atol=1e-6, rtol=0)
    plain = encode_queries(embedder, ["a red coat"])
    torch.testing.assert_close(plain, embedder.embed_text("a red coat"), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("sentence", "templates", "facts"),
    [
        (" ", (), ["empty"]),
        ("a coat", ("a photo",), ["a photo", "{text}"]),
        ("a coat", ("{text} and {colour}",), ["colour", "{text}"]),
        ("coat " * 100, (), ["77"]),
    ],
)
def test_mistakes_are_sentences(embedder, sentence, templates, facts):
    with pytest.raises(ConfigError) as caught:
        encode_queries(embedder, [sentence], templates)
    assert not lacking(str(caught.value), *facts)


def test_models_without_a_text_side_are_refused(paths):
    bare, absent, random = build(), build(), build(pretrained="none")
    bare.model.backbone.text.drop_vocabulary()
    absent.model.backbone.text = AbsentText()
    for embedder, facts in (
        (bare, ["word embeddings"]),
        (absent, ["word embeddings"]),
        (random, ["random weights", "pretrained: none"]),
    ):
        assert find_text_width(embedder) is None
        with pytest.raises(WeightsError) as caught:
            encode_queries(embedder, ["a red coat"])
        assert not lacking(str(caught.value), *facts)
        assert str(caught.value) == explain_no_text(embedder)
    model = EmbedderModel(bare)
    assert model.both_vectors([GalleryImage(paths[0])])[1] is None


def test_models_say_whether_their_text_side_was_tuned():
    zero_shot, trained = load_recipe("zero-shot"), load_recipe("clip-reid")
    assert not lacking(describe_tuning(build(recipe=zero_shot)), "never tuned", "hint")
    assert "image side" not in describe_tuning(build(recipe=zero_shot))
    assert "image side has moved" in describe_tuning(build(recipe=trained))
    tuned = load_recipe("clip-reid", ["stages.prompts.learns=[prompt, text]"])
    assert describe_tuning(build(recipe=tuned)) == ""
