"""From a model and a test set to an assessment that knows what the model says of itself."""

import pytest
import torch
from small_models import small_backbone
from small_prompts import image_prompt

from promptreid.config.model import EmbeddingConfig, InteractionConfig
from promptreid.config.recipes import load_recipe
from promptreid.data.images.preprocess import Preprocess
from promptreid.errors import EvaluationError
from promptreid.evaluation import Bootstrap, RetrievalSettings, TestSet, Threshold
from promptreid.inference.assess import assess
from promptreid.inference.embed import embed_manifest
from promptreid.inference.embedder import Embedder
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.interaction import Interaction
from promptreid.models.reid import ReIDModel

CHOSEN = Threshold(0.4, 1e-2, 500)


@pytest.fixture(scope="module")
def test_set(crops):
    return TestSet.of(f"folder:{crops}")


@pytest.fixture(scope="module")
def embedder():
    backbone = small_backbone()
    backbone.image.fit((64, 32), None)
    info = CheckpointInfo(
        preprocess=Preprocess(image_size=(64, 32)),
        recipe=load_recipe("zero-shot", ["evaluation.flip=true", "evaluation.query_expansion=2"]),
        verification=CHOSEN.to_dict(),
    )
    return Embedder(
        ReIDModel(backbone, embedding=EmbeddingConfig(features=("final", "projected"))), info
    )


def test_the_recipe_says_how_images_are_embedded_and_ranked(embedder, test_set):
    assessment = assess(embedder, test_set, bootstrap=Bootstrap(20))
    assert assessment.settings.flip
    assert assessment.scores.settings.expansion.neighbours == 2
    wanted = embed_manifest(embedder, test_set.manifest, flip=True).vectors
    assert torch.equal(assessment.embeddings.vectors, wanted)
    assert assessment.intervals.resamples == 20
    plain = assess(embedder, test_set, RetrievalSettings())
    assert not torch.equal(plain.embeddings.vectors, wanted)


def test_the_threshold_of_the_model_comes_along(embedder, test_set):
    assessment = assess(embedder, test_set, RetrievalSettings())
    assert assessment.stored_threshold.chosen == CHOSEN
    assert assessment.stored_threshold.note == ""
    mirrored = assess(embedder, test_set)
    assert "averaged with those of mirrored images" in mirrored.stored_threshold.note


@pytest.fixture(scope="module")
def prompted():
    backbone = small_backbone()
    backbone.image.fit((32, 32), 16)
    model = ReIDModel(
        backbone,
        prompt=image_prompt(backbone, hidden=32),
        interaction=Interaction(InteractionConfig(mode="single", residual=True), 64),
        embedding=EmbeddingConfig(features=("final", "fused")),
    )
    info = CheckpointInfo(preprocess=Preprocess(image_size=(32, 32)))
    return Embedder(model, info)


def test_the_kind_of_sentence_is_noted_where_it_is_not_the_model_s_own(prompted, test_set):
    for kind, noted in (("composed", None), ("simplified", "simplified")):
        assessment = assess(prompted, test_set, RetrievalSettings(prompt=kind))
        assert assessment.settings.prompt == noted
        wanted = embed_manifest(prompted, test_set.manifest, prompt=kind).vectors
        assert torch.equal(assessment.embeddings.vectors, wanted)


def test_a_share_needs_sentences(embedder, test_set):
    with pytest.raises(EvaluationError, match=r"zero_shot\.attributes"):
        assess(embedder, test_set, RetrievalSettings(sentences=0.3))


def test_images_are_embedded_once_where_embeddings_are_kept(embedder, test_set, tmp_path):
    first = assess(embedder, test_set, cache=tmp_path)
    (file,) = tmp_path.iterdir()
    kept = file.read_bytes()
    second = assess(embedder, test_set, cache=tmp_path)
    assert second.scores == first.scores
    assert file.read_bytes() == kept
    assess(embedder, test_set, RetrievalSettings(), cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2  # without mirror images they are others
