"""What exchanged words do to scores: differences, their intervals, and what is said of them."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from small_models import small_backbone
from small_prompts import image_prompt

from promptreid.config.model import EmbeddingConfig, InteractionConfig
from promptreid.data.images.preprocess import Preprocess
from promptreid.data.load_data import load_data
from promptreid.data.protocol import Protocol, Repeat
from promptreid.errors import EvaluationError
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.scoring import evaluate_protocol
from promptreid.evaluation.retrieval_settings import RetrievalSettings
from promptreid.evaluation.test_set import TestSet
from promptreid.evaluation.uncertainty.intervals import Difference
from promptreid.evaluation.uncertainty.resampling import Bootstrap
from promptreid.inference.assess import assess
from promptreid.inference.embedder import Embedder
from promptreid.inference.text_controls.word_control import WordControl, assess_words, compare_words
from promptreid.inference.text_controls.word_tables import render_words, word_verdict
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.interaction import Interaction
from promptreid.models.reid import ReIDModel
from promptreid.models.sie import SideInformation

IDENTITIES, EACH = 12, 4
NAMES = tuple(f"p{number:02d}" for number in range(IDENTITIES) for _ in range(EACH))


def scores(noise, *, seed, repeats=2):
    """Retrieval that is the worse, the more noise there is."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(IDENTITIES, 8, generator=torch.Generator().manual_seed(99))
    vectors = centres.repeat_interleave(EACH, 0)
    vectors = vectors + noise * torch.randn(len(vectors), 8, generator=generator)
    rows = np.arange(len(NAMES)).reshape(IDENTITIES, EACH)
    drawn = tuple(
        Repeat(query=np.delete(rows, place, 1).ravel(), gallery=rows[:, place])
        for place in range(repeats)
    )
    protocol = Protocol(name="test", repeats=drawn, same_camera="keep", ap="step")
    return evaluate_protocol(Embeddings.from_vectors(vectors, NAMES), protocol)


@pytest.fixture(scope="module")
def parts():
    own = scores(0.5, seed=0)
    permuted = tuple(scores(1.5, seed=seed) for seed in (1, 2, 3))
    return own, permuted, scores(0.8, seed=4)


def by_identity(found, weights):
    """Mean over repeats of the mAP of every resample, query by query."""
    means = []
    for result in found.results:
        values = torch.zeros(len(weights), dtype=torch.float64)
        counts = torch.zeros(len(weights), dtype=torch.float64)
        for name, ap in zip(result.identities, result.values["mAP"].tolist(), strict=True):
            drawn = weights[:, sorted(set(NAMES)).index(name)]
            values += drawn * ap
            counts += drawn
        means.append(values / counts)
    return torch.stack(means).mean(0)


def test_permuted_scores_are_the_mean_over_the_draws(parts):
    own, permuted, none = parts
    found = compare_words(own, permuted, none, seed=3)
    mean = sum(one.mAP for one in permuted) / 3
    assert found.own["mAP"] == own.mAP
    assert found.permuted["mAP"] == pytest.approx(mean)
    assert found.none["rank-5"] == none.cmc[5]
    assert found.permuted["rank-1"] == pytest.approx(sum(one.cmc[1] for one in permuted) / 3)
    assert found.own_minus_permuted["mAP"].value == pytest.approx(own.mAP - mean)
    assert found.own_minus_none["mAP"].value == pytest.approx(own.mAP - none.mAP)
    assert (found.draws, found.seed, found.identities, found.few) == (3, 3, IDENTITIES, False)


def test_intervals_are_those_of_identities_drawn_one_by_one(parts):
    own, permuted, none = parts
    found = compare_words(own, permuted, none, seed=3)
    weights = Bootstrap(seed=3).weights(IDENTITIES)
    drawn = by_identity(own, weights)
    for difference, others in (
        (found.own_minus_permuted, permuted),
        (found.own_minus_none, (none,)),
    ):
        changes = drawn - torch.stack([by_identity(one, weights) for one in others]).mean(0)
        low, high = np.quantile(changes.numpy(), [0.025, 0.975])
        assert difference["mAP"].low == pytest.approx(low, abs=1e-9)
        assert difference["mAP"].high == pytest.approx(high, abs=1e-9)


def test_words_that_change_nothing_differ_by_nothing(parts):
    own = parts[0]
    found = compare_words(own, (own, own), own)
    assert found.own_minus_permuted["mAP"] == Difference(0.0, 0.0, 0.0, 0.5)
    assert word_verdict(found).startswith("The words make no difference here")


def test_a_control_survives_a_file(parts):
    found = compare_words(*parts)
    assert WordControl.from_dict(json.loads(json.dumps(found.to_dict()))) == found


@pytest.mark.parametrize("spoil", [{"own": None}, {"draws": "x"}, {"own_minus_none": {"mAP": 3}}])
def test_a_damaged_record_is_said_to_be_one(parts, spoil):
    record = {**compare_words(*parts).to_dict(), **spoil}
    with pytest.raises(EvaluationError, match="Measure them again"):
        WordControl.from_dict(record)
    del record["own_minus_permuted"]
    with pytest.raises(EvaluationError, match="evaluate --words"):
        WordControl.from_dict(record)


def told(parts, permuted, none, identities=IDENTITIES):
    found = compare_words(*parts)
    return dataclasses.replace(
        found,
        own_minus_permuted={**found.own_minus_permuted, "mAP": Difference(*permuted)},
        own_minus_none={**found.own_minus_none, "mAP": Difference(*none)},
        identities=identities,
    )


@pytest.mark.parametrize(
    ("permuted", "none", "words"),
    [
        (
            (0.02, 0.01, 0.03, 1.0),
            (-0.01, -0.02, -0.005, 0.0),
            "Own words beat permuted ones by 2.00 points of mAP (95 % interval 1.00 to 3.00). A "
            "sentence without a word beats own words by 1.00 points of mAP (95 % interval 0.50 to "
            "2.00).",
        ),
        (
            (-0.02, -0.03, -0.01, 0.0),
            (0.01, 0.005, 0.02, 1.0),
            "Permuted words beat own ones by 2.00 points of mAP (95 % interval 1.00 to 3.00). They "
            "beat a sentence without a word by 1.00 points of mAP (95 % interval 0.50 to 2.00).",
        ),
        (
            (0.01, -0.01, 0.03, 0.8),
            (0.0, -0.001, 0.001, 0.5),
            "The words make no difference here: own words beat permuted ones by 1.00 points of mAP "
            "(95 % interval -1.00 to 3.00). Own words and none do not differ for certain: 0.00 "
            "points of mAP (95 % interval -0.10 to 0.10).",
        ),
    ],
)
def test_the_verdict_is_that_of_the_interval(parts, permuted, none, words):
    assert word_verdict(told(parts, permuted, none)) == words


def test_few_identities_are_said(parts):
    found = told(parts, (0.02, 0.01, 0.03, 1.0), (0.0, 0.0, 0.0, 0.5), identities=4)
    assert word_verdict(found).endswith("With 4 identities, intervals say little.")


def test_the_table_holds_all_kinds_and_fits_a_terminal(parts):
    found = compare_words(*parts)
    lines = render_words(found).splitlines()
    assert max(map(len, lines)) < 80
    rows = {line.split("  ")[0]: line.split() for line in lines[2:7]}
    assert list(rows) == ["own", "permuted (3 draws)", "none", "own - permuted", "own - none"]
    assert rows["own"][1] == f"{100 * found.own['mAP']:.2f}"
    assert rows["own - none"][3] == f"{100 * found.own_minus_none['mAP'].value:+.2f}"


def test_own_words_score_as_plain_scoring_does_notes_included(crops, tmp_path):
    rows = ["path,identity,split,camera"]
    for folder in sorted(crops.iterdir()):
        for number, image in enumerate(sorted(folder.iterdir())):
            split = "query" if number < 2 else "gallery"
            rows.append(f"{image},{folder.name},{split},gate{number}")
    (tmp_path / "data.csv").write_text("\n".join(rows))
    dataset = load_data(f"csv:{tmp_path / 'data.csv'}")
    backbone = small_backbone()
    backbone.image.fit((32, 32), 16)
    model = ReIDModel(
        backbone,
        prompt=image_prompt(backbone, hidden=32),
        interaction=Interaction(InteractionConfig(mode="single", residual=True), 64),
        sie=SideInformation(cameras=2, views=0, width=128),
        embedding=EmbeddingConfig(features=("final", "fused")),
    )
    info = CheckpointInfo(
        preprocess=Preprocess(image_size=(32, 32)), camera_values=("gate0", "door")
    )
    embedder = Embedder(model, info)
    test_set, settings = TestSet.of(dataset), RetrievalSettings(flip=True)
    plain = assess(embedder, test_set, settings)
    own, control = assess_words(embedder, test_set, settings)
    assert own.scores == plain.scores
    assert "gate1" in own.scores.note
    assert torch.equal(own.embeddings.vectors, plain.embeddings.vectors)
    assert control.own["mAP"] == plain.scores.mAP
    none = assess(embedder, test_set, dataclasses.replace(settings, prompt="simplified"))
    assert control.none["mAP"] == none.scores.mAP
