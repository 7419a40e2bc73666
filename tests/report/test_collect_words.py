"""What the folder of a run says of its words and domain tokens."""

import json
from dataclasses import replace

import pytest

from promptreid.data.dataset import load_data
from promptreid.evaluation.domain_texts import DomainTexts
from promptreid.evaluation.uncertainty import Difference
from promptreid.evaluation.word_control import WordControl
from promptreid.progress import Silent
from promptreid.report.collect import collect
from promptreid.report.collect_options import ReportOptions
from promptreid.report.collect_words import domain_texts_of, word_control_of
from promptreid.training.train import TrainRequest, train

SMALL = (
    "backbone.name=tiny",
    "backbone.pretrained=none",
    "backbone.image_size=[48, 32]",
    "precision=fp32",
    "stages.image.epochs=1",
    "stages.image.batch={identities: 3, images: 2}",
    "stages.image.augment.pad=2",
)
DIFFERENCE = Difference(0.1, 0.05, 0.2, 0.99)
CONTROL = WordControl(
    {"mAP": 0.5}, {"mAP": 0.4}, {"mAP": 0.45}, {"mAP": DIFFERENCE}, {"mAP": DIFFERENCE}, 3, 0, 12
)
TEXTS = DomainTexts("north", 0.9, 0.7, 0.8, DIFFERENCE, 40, 10)


@pytest.fixture
def dataset(crops):
    return load_data(f"folder:{crops}?train=0.5")


@pytest.fixture
def folder(dataset, tmp_path):
    """A run of two data sets; the second is the one that is asked for, by another path."""
    rows = dataset.manifest.fingerprint()
    records = [{"spec": "a", "fingerprint": "x"}, {"spec": "b", "fingerprint": rows}]
    other = replace(CONTROL, draws=9)
    scores = {
        "results": [
            {"data": "a", "word_control": other.to_dict()},
            {"data": "b", "word_control": CONTROL.to_dict()},
        ],
        "domain_texts": [TEXTS.to_dict()],
    }
    (tmp_path / "data.json").write_text(json.dumps(records))
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    return tmp_path


def test_a_run_knows_its_data_by_their_rows(folder, dataset):
    assert word_control_of(folder, dataset) == CONTROL
    assert domain_texts_of(folder) == (TEXTS,)


def test_scores_of_one_data_set_stand_alone(folder, dataset):
    scores = json.loads((folder / "scores.json").read_text())
    (folder / "scores.json").write_text(json.dumps(scores["results"][1]))
    assert word_control_of(folder, dataset) == CONTROL
    assert domain_texts_of(folder) == ()


def test_other_rows_are_other_data(folder, crops):
    assert word_control_of(folder, load_data(f"folder:{crops}?train=0.4")) is None


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"results": [1]}', '{"domain_texts": 3}'])
@pytest.mark.parametrize("name", ["scores.json", "data.json"])
def test_damaged_files_say_nothing(folder, dataset, name, damage):
    (folder / name).write_text(damage)
    assert word_control_of(folder, dataset) is None
    if name == "scores.json":
        assert domain_texts_of(folder) == ()


def test_a_damaged_record_says_nothing(folder, dataset):
    scores = json.loads((folder / "scores.json").read_text())
    scores["results"][1]["word_control"]["own"] = 3
    scores["domain_texts"][0].pop("own")
    (folder / "scores.json").write_text(json.dumps(scores))
    assert word_control_of(folder, dataset) is None
    assert domain_texts_of(folder) == ()


def test_a_lone_checkpoint_says_nothing(dataset):
    assert word_control_of(None, dataset) is None
    assert domain_texts_of(None) == ()


def test_a_report_tells_what_training_measured(crops, tmp_path):
    spec = f"folder:{crops}?train=0.5"
    out = tmp_path / "run"
    train(TrainRequest("prompt-sg", SMALL, (spec,), out, device="cpu"), progress=Silent())
    options = ReportOptions(identities=4, queries=2, top=3, images=2)
    content = collect([out], [spec], options=options, device="cpu")
    words = content.tests[0].runs[0].words
    assert words.to_dict() == json.loads((out / "scores.json").read_text())["word_control"]
