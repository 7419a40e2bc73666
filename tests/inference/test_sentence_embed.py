"""Sentences in the similarity of two images, against loops over pairs."""

import json
import math
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from small_hands import render_small_hands
from torch import Tensor

import promptreid
from promptreid.cli.main import cli
from promptreid.config.recipes import load_recipe
from promptreid.data.dataset import DataSet
from promptreid.data.load_data import load_data
from promptreid.errors import ConfigError, EvaluationError
from promptreid.evaluation.embeddings.sentence_share import SentenceShare
from promptreid.evaluation.retrieval_settings import RetrievalSettings
from promptreid.evaluation.test_set import TestSet
from promptreid.inference.assess import assess
from promptreid.inference.attributes import encode_values, project_images
from promptreid.inference.embed import embed_manifest
from promptreid.inference.sentence_embed import join_readings, join_sentences
from promptreid.progress import Silent
from promptreid.training.run.train import TrainRequest, train

SENTENCES = {
    "skin": ("a photo of a hand of a person with {skin} skin", "{skin} skin"),
    "gender": ("the hand of a {gender} person",),
    "aspect": ("a {aspect} hand",),  # one value here, so it tells nothing apart
}


def cosine(one: list[float], other: list[float]) -> float:
    product = sum(a * b for a, b in zip(one, other, strict=True))
    lengths = math.sqrt(sum(a * a for a in one)) * math.sqrt(sum(b * b for b in other))
    return product / lengths


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("widths", [(3,), (2, 4, 3)])
def test_cosines_are_weighted_means_of_both(share: float, widths: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(len(widths))
    vectors = torch.nn.functional.normalize(torch.randn(6, 5, generator=generator), dim=1)
    readings = [
        torch.softmax(3 * torch.randn(6, width, generator=generator), dim=1) for width in widths
    ]
    joined = join_readings(vectors, readings, share)
    assert joined.shape == (6, 5 + sum(widths))
    for i in range(6):
        for j in range(6):
            said = [cosine(r[i].tolist(), r[j].tolist()) for r in readings]
            looks = cosine(vectors[i].tolist(), vectors[j].tolist())
            wanted = (1 - share) * looks + share * sum(said) / len(said)
            assert float(joined[i] @ joined[j]) == pytest.approx(wanted, abs=1e-6)


@pytest.fixture(scope="module")
def hands(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("hands")
    render_small_hands(root, "dorsal right")
    return f"hands11k:{root}?aspect=dorsal_right&repeats=2"


def overrides(share: float, sentences: dict[str, tuple[str, ...]] = SENTENCES) -> tuple[str, ...]:
    told = json.dumps({name: list(texts) for name, texts in sentences.items()})
    return (
        "backbone.name=tiny",
        "backbone.image_size=[48, 32]",
        f"zero_shot.attributes={told}",
        f"evaluation.sentences={share}",
    )


@pytest.fixture(scope="module")
def run(hands: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "zero"
    asked = TrainRequest("zero-shot", overrides(0.3), (hands,), out, device="cpu")
    return train(asked, progress=Silent()).path


@pytest.fixture(scope="module")
def data(hands: str) -> DataSet:
    return load_data(hands)


@pytest.mark.slow
def test_a_score_is_that_of_the_loops(run: Path, data: DataSet) -> None:
    """Rank every query of every draw by the formula, one pair after the other."""
    embedder = promptreid.load(run, device="cpu")
    model, manifest = embedder.model, TestSet.of(data).manifest
    plain = embed_manifest(embedder, manifest).vectors
    pictures = project_images(embedder, manifest, batch_size=8, progress=None)
    scale = math.exp(float(model.backbone.logit_scale.detach()))

    def read(attribute: str) -> list[list[float]]:
        texts = encode_values(model.backbone, manifest, attribute, SENTENCES[attribute])
        rows = []
        for picture in pictures:
            scores = [scale * cosine(picture.tolist(), text.tolist()) for text in texts]
            powers = [math.exp(score - max(scores)) for score in scores]
            rows.append([power / sum(powers) for power in powers])
        return rows

    readings = [read(name) for name in ("skin", "gender")]

    def similarity(i: int, j: int) -> float:
        said = sum(cosine(rows[i], rows[j]) for rows in readings) / len(readings)
        return 0.7 * cosine(plain[i].tolist(), plain[j].tolist()) + 0.3 * said

    test_set = TestSet.of(data)
    assessment = assess(embedder, test_set, RetrievalSettings(sentences=0.3))
    scores, names = assessment.scores, assessment.embeddings.identities
    found = []
    for repeat in test_set.protocol.repeats:
        for query in repeat.query:
            ranked = sorted(repeat.gallery, key=lambda row: -similarity(int(query), int(row)))
            hit = next(n for n, row in enumerate(ranked, 1) if names[row] == names[query])
            found.append((len(ranked), 1 / hit))
    assert scores.mAP == pytest.approx(sum(ap for _, ap in found) / len(found), abs=1e-6)
    alone = assess(embedder, test_set, RetrievalSettings()).scores
    assert alone.sentences is None
    assert alone.mAP != scores.mAP, "sentences move this score"


def test_what_was_said_is_recorded_with_the_attributes_that_differ(run: Path) -> None:
    scores = json.loads((run / "scores.json").read_text())
    assert scores["sentences"] == {"share": 0.3, "attributes": ["skin", "gender"]}


def invoke(*arguments: str) -> str:
    done = CliRunner().invoke(cli, ["evaluate", *arguments, "--device", "cpu"])
    assert done.exception is None, done.output
    return " ".join(done.output.split())


def test_the_command_takes_another_share_and_says_so(run: Path, tmp_path: Path) -> None:
    kept = json.loads((run / "scores.json").read_text())
    for share, words in (
        ("0", None),
        ("0.3", "What sentences say of two images (skin, gender) has a share of 0.3"),
    ):
        file = tmp_path / f"{share}.json"
        said = invoke(str(run), "--sentences", share, "--json", str(file))
        assert words is None or words in said
        assert ("sentences say" in said) == (words is not None)
        again = json.loads(file.read_text())
        again = again.get("results", [again])[0]
        assert (again["mAP"] == kept["mAP"]) == (share == "0.3")
    assert "joined with what sentences say" in invoke(str(run), "--verification")


def test_a_report_scores_the_same(run: Path, data: DataSet) -> None:
    found = assess(promptreid.load(run, device="cpu"), TestSet.of(data))
    scores = found.scores.to_dict()
    kept = json.loads((run / "scores.json").read_text())
    assert (scores["mAP"], scores["sentences"]) == (kept["mAP"], kept["sentences"])


def test_identities_are_never_read(run: Path, data: DataSet) -> None:
    """An image's own values change nothing while the values there are stay the same."""
    from dataclasses import replace

    embedder = promptreid.load(run, device="cpu")
    manifest = TestSet.of(data).manifest
    values = manifest.attributes["gender"]
    swapped = {"female": "male", "male": "female"}
    mirrored = {**manifest.attributes, "gender": tuple(swapped[value] for value in values)}
    share = SentenceShare(0.3, SENTENCES).usable(manifest)
    both: list[Tensor] = [
        join_sentences(embedder, rows, embed_manifest(embedder, rows), share).vectors
        for rows in (manifest, replace(manifest, attributes=mirrored))
    ]
    assert torch.equal(*both)


@pytest.mark.slow
def test_without_an_attribute_that_differs_images_count_alone(
    hands: str, run: Path, tmp_path: Path
) -> None:
    only = {"aspect": SENTENCES["aspect"]}
    asked = TrainRequest("zero-shot", overrides(0.3, only), (hands,), tmp_path / "r", device="cpu")
    found = train(asked, progress=Silent())
    scores = json.loads((found.path / "scores.json").read_text())
    assert scores["sentences"] == {"share": 0.3, "attributes": []}
    assert "none of their attributes differs" in invoke(str(found.path))
    plain = invoke(str(run), "--sentences", "0")
    assert f"{100 * scores['mAP']:.2f}" in plain


def test_shares_and_sentences_that_mean_nothing_are_refused(run: Path, hands: str) -> None:
    with pytest.raises(ConfigError, match=r"give some in zero_shot\.attributes"):
        load_recipe("zero-shot", ["evaluation.sentences=0.2"])
    with pytest.raises(ConfigError, match=r"evaluation\.sentences"):
        load_recipe("zero-shot/hand", ["evaluation.sentences=1"])
    with pytest.raises(ConfigError, match="for recipes without stages"):
        load_recipe("clip-reid", overrides(0.2)[2:])
    with pytest.raises(EvaluationError, match="between 0 and 1"):
        SentenceShare(1.5, SENTENCES)
    with pytest.raises(EvaluationError, match="the recipe of these weights has none"):
        SentenceShare.of(0.2, {})
    assert SentenceShare.of(0.0, {}) is None
