"""A stage ends when validation no longer rises, says so, and does so again after a resume."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from impatient import Impatient
from safetensors.torch import load_file

from promptreid.config.recipes import load_recipe
from promptreid.config.scoring import ValidationConfig
from promptreid.errors import ConfigError
from promptreid.models.checkpoint import load_training
from promptreid.progress import Silent
from promptreid.training.run.train import TrainRequest, train
from promptreid.training.stage.early_stopping import EarlyStopping
from promptreid.training.stage.stop_signals import Interrupted
from promptreid.training.stage.training_state import TrainingState

pytestmark = pytest.mark.slow


def ended_after(scores: list[float], **settings: object) -> int | None:
    """Return the validation after which a stage ends, counted from 1; None for never."""
    stopping = EarlyStopping.of(ValidationConfig(**settings))
    state = TrainingState()
    for number, score in enumerate(scores, start=1):
        stopping.note(state, score)
        if stopping.is_over(state):
            return number
    return None


def oracle(scores: list[float], patience: int, min_delta: float) -> int | None:
    """The same by looking back over the whole list each time."""
    beaten = [0]  # places of the scores that had to be beaten
    for place in range(1, len(scores)):
        if scores[place] > scores[beaten[-1]] + min_delta:
            beaten.append(place)
        if place - beaten[-1] >= patience:
            return place + 1
    return None


@pytest.mark.parametrize("patience", [1, 2, 3, 7])
@pytest.mark.parametrize("min_delta", [0.0, 0.05])
def test_the_count_is_that_of_a_look_back(patience: int, min_delta: float) -> None:
    generator = torch.Generator().manual_seed(patience)
    for _ in range(50):
        scores = torch.rand(12, generator=generator).tolist()
        found = ended_after(scores, patience=patience, min_delta=min_delta)
        assert found == oracle(scores, patience, min_delta)


def test_an_equal_score_is_no_better_one() -> None:
    assert ended_after([0.5, 0.5, 0.5], patience=2) == 3
    assert ended_after([0.5, 0.4, 0.51, 0.3, 0.3], patience=2) == 5


def test_small_steps_add_up_against_the_score_to_beat() -> None:
    slowly = [0.50, 0.508, 0.516, 0.524, 0.532]
    assert ended_after(slowly, patience=2, min_delta=0.01) is None
    assert ended_after(slowly, patience=2, min_delta=0.02) == 3


def test_without_patience_nothing_ends() -> None:
    assert ended_after([0.5, *[0.1] * 100]) is None


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["validation.patience=0"], "validation.patience"),
        (["validation.min_delta=0.1"], "min_delta says what counts as better for patience"),
        (["validation={patience: 3, min_delta: -0.1}"], "validation.min_delta"),
    ],
)
def test_settings_that_mean_nothing_are_refused(overrides: list[str], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_recipe("clip-reid", overrides)
    assert words in str(caught.value)


class Heard(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def message(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(scope="module")
def asked(crops: Path, quick: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory):
    """Two prompt epochs, then up to nine image epochs in which nothing can rise."""
    still = ("stages.image.epochs=9", "stages.image.optimizer.lr=1e-30")
    return TrainRequest(
        recipe="clip-reid",
        overrides=(*quick, "validation.kind=images", *still, "validation.patience=3"),
        data=(f"folder:{crops}?repeats=3",),
        out=tmp_path_factory.mktemp("runs") / "whole",
        seed=5,
        device="cpu",
    )


@pytest.fixture(scope="module")
def heard() -> Heard:
    return Heard()


@pytest.fixture(scope="module")
def whole(asked: TrainRequest, heard: Heard):
    return train(asked, progress=heard)


def table(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return [
            {key: value for key, value in row.items() if key != "seconds"}
            for row in csv.DictReader(file)
        ]


def test_the_stage_ends_early_and_says_so_everywhere(whole, heard: Heard) -> None:
    rows = table(whole.path)
    assert [(row["stage"], row["epoch"], row["waited"]) for row in rows] == [
        ("prompts", "1", ""),
        ("prompts", "2", ""),
        ("image", "1", "0"),
        ("image", "2", "1"),
        ("image", "3", "2"),
        ("image", "4", "3"),
    ]
    (line,) = [line for line in heard.lines if "ends early" in line]
    assert "stage image ends early, after epoch 4 of 9" in line
    assert "validation mAP has not risen for 3 validations in a row" in line
    status = whole.status()
    assert status.complete
    assert status.ended_early == {"image": 4}
    assert status.best.chosen_at == "stage image, epoch 1"
    assert line in (whole.path / "log.txt").read_text()


# 2 x 18 images of prompts, then 12 of each image epoch: within the first, after the second,
# within the fourth and last.
@pytest.mark.parametrize("images", [40, 60, 76])
def test_a_resumed_stage_ends_at_the_same_epoch_with_the_same_bits(
    asked: TrainRequest, whole, tmp_path: Path, images: int
) -> None:
    again = replace(asked, out=tmp_path / "run", resume=True)
    with pytest.raises(Interrupted):
        train(again, progress=Impatient(images))
    resumed = train(again, progress=Silent())
    assert table(resumed.path) == table(whole.path)
    assert resumed.status().ended_early == {"image": 4}
    for name in ("last", "best"):
        files = [run.path / "checkpoints" / f"{name}.safetensors" for run in (whole, resumed)]
        first, second = map(load_file, files)
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_run_killed_at_the_end_of_the_stage_does_not_train_on(
    asked: TrainRequest, whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The count is saved with the epoch that ran it out, so the next session ends at once."""
    from promptreid.training.stage.stage import StageRunner

    class Killed(Exception):
        pass

    ran = StageRunner.run

    def run_and_die(self: StageRunner) -> None:
        ran(self)
        if self.config.name == "image":
            raise Killed

    monkeypatch.setattr(
        "promptreid.training.stage.checkpoint_writer.CheckpointWriter.due", lambda self: True
    )
    again = replace(asked, out=tmp_path / "run", resume=True)
    with monkeypatch.context() as patched:
        patched.setattr(StageRunner, "run", run_and_die)
        with pytest.raises(Killed):
            train(again, progress=Silent())
    plain = load_training(tmp_path / "run" / "checkpoints" / "last.safetensors").values
    assert (plain["stage"], plain["epoch"], plain["waited"]) == (1, 5, 3)
    resumed = train(again, progress=Silent())
    assert table(resumed.path) == table(whole.path)


def test_each_stage_counts_anew(crops: Path, tmp_path: Path) -> None:
    """Two image stages: the second does not inherit the first one's count."""
    image = {
        "learns": ["image", "head"],
        "losses": {"id": 1},
        "batch": {"size": 6},
        "optimizer": {"lr": 1e-30},
        "schedule": {"name": "constant"},
        "augment": {"pad": 2},
    }
    recipe = {
        "extends": "finetune-ce",
        "description": "Two stages.",
        "backbone": {"name": "tiny", "pretrained": "none", "image_size": 32},
        "validation": {"kind": "images", "patience": 1},
        "stages": [
            {"name": "image", "epochs": 5, **image},
            {"name": "again", "epochs": 5, **image},
        ],
    }
    path = tmp_path / "two.yaml"
    path.write_text(json.dumps(recipe))
    asked = TrainRequest(str(path), (), (f"folder:{crops}",), tmp_path / "run", device="cpu")
    run = train(asked, progress=Silent())
    assert run.status().ended_early == {"image": 2, "again": 2}


def test_without_validation_images_it_is_said(asked: TrainRequest, tmp_path: Path) -> None:
    heard = Heard()
    overrides = (*asked.overrides, "validation.kind=none", "stages.image.epochs=2")
    run = train(replace(asked, overrides=overrides, out=tmp_path / "run"), progress=heard)
    assert any("validation.patience has nothing to wait for" in line for line in heard.lines)
    assert len(table(run.path)) == 4
