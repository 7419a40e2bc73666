"""What the folder of a run says of its words and domain tokens."""

import json
from dataclasses import replace

import pytest
from run_records import data_of, environment_record, make_run, result_of

from promptreid.config.recipes import load_recipe
from promptreid.data.load_data import load_data
from promptreid.errors import EvaluationError, RunError
from promptreid.evaluation.uncertainty.intervals import Difference
from promptreid.evaluation.uncertainty.training_gain import GAINED, Gain, Worth
from promptreid.inference.text_controls.domain_texts import DomainTexts
from promptreid.inference.text_controls.word_control import WordControl
from promptreid.pages.collect import collect
from promptreid.pages.collect_options import ReportOptions
from promptreid.pages.collect_words import read_controls, read_domain_texts
from promptreid.progress import Silent
from promptreid.runs.run_folder import RunFolder
from promptreid.training.run.train import TrainRequest, train

SMALL = (
    "backbone.name=tiny",
    "backbone.pretrained=none",
    "backbone.image_size=[48, 32]",
    "hardware.precision=fp32",
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
def run(dataset, tmp_path):
    """A run of two data sets; the second is the one that is asked for, by another path."""
    rows = dataset.manifest.fingerprint()
    data = [data_of("a", fingerprint="x"), data_of("b", fingerprint=rows)]
    run = RunFolder.create(
        tmp_path / "run",
        recipe=load_recipe("prompt-sg"),
        environment=environment_record(),
        data=data,
    )
    scores = [
        result_of(data="a", word_control=replace(CONTROL, draws=9).to_dict()),
        result_of(data="b", word_control=CONTROL.to_dict()),
    ]
    run.write_scores(scores, domain_texts=[TEXTS.to_dict()])
    return run


def test_a_run_knows_its_data_by_their_rows(run, dataset):
    assert read_controls(run, dataset)[0] == CONTROL
    assert read_domain_texts(run) == (TEXTS,)


def test_scores_of_one_data_set_stand_alone(run, dataset):
    run.write_scores(run.scores()[1:])
    assert read_controls(run, dataset)[0] == CONTROL
    assert read_domain_texts(run) == ()


def test_other_rows_are_other_data(run, crops):
    assert read_controls(run, load_data(f"folder:{crops}?train=0.4"))[0] is None


@pytest.mark.parametrize("name", ["scores.json", "data.json"])
def test_damaged_files_are_named(run, dataset, name):
    (run.path / name).write_text("[]")
    with pytest.raises(RunError, match=f"{name} is damaged"):
        read_controls(run, dataset)


def test_a_record_that_training_does_not_write_is_named(run, dataset):
    words = {**CONTROL.to_dict(), "own": 3}
    texts = {key: value for key, value in TEXTS.to_dict().items() if key != "own"}
    run.write_scores([result_of(data="b", word_control=words)], domain_texts=[texts])
    with pytest.raises(EvaluationError):
        read_controls(run, dataset)
    with pytest.raises(EvaluationError):
        read_domain_texts(run)


def test_what_training_gained_is_found_by_the_rows(run, dataset):
    assert read_controls(run, dataset)[1] is None
    gains = {name: Gain(0.3, 0.5, DIFFERENCE) for name in GAINED}
    worth = Worth("tiny untrained", gains, 12)
    other = replace(worth, identities=3)
    run.write_scores(
        [result_of(data="a", worth=other.to_dict()), result_of(data="b", worth=worth.to_dict())]
    )
    assert read_controls(run, dataset)[1] == worth
    run.write_scores([result_of(data="b", worth={**worth.to_dict(), "mAP": 3})])
    with pytest.raises(EvaluationError, match="do not say what training gained"):
        read_controls(run, dataset)
    assert read_controls(None, dataset)[1] is None


def test_a_run_that_was_not_scored_says_nothing(tmp_path, dataset):
    run = make_run(tmp_path / "run")
    assert read_controls(run, dataset)[0] is None
    assert read_domain_texts(run) == ()


def test_a_lone_checkpoint_says_nothing(dataset):
    assert read_controls(None, dataset)[0] is None
    assert read_domain_texts(None) == ()


@pytest.mark.slow
def test_a_report_tells_what_training_measured(crops, tmp_path):
    spec = f"folder:{crops}?train=0.5"
    out = tmp_path / "run"
    train(TrainRequest("prompt-sg", SMALL, (spec,), out, device="cpu"), progress=Silent())
    options = ReportOptions(identities=4, queries=2, top=3, images=2)
    content = collect([out], [spec], options=options, device="cpu")
    words = content.tests[0].runs[0].words
    assert words.to_dict() == json.loads((out / "scores.json").read_text())["word_control"]
