"""Checkpoints that stay every so many epochs."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from impatient import Impatient
from safetensors.torch import load_file

import promptreid
from promptreid.cli.main import cli
from promptreid.config.recipes import load_recipe
from promptreid.errors import ConfigError
from promptreid.models.checkpoint import read_info
from promptreid.progress import Silent
from promptreid.runs.run_folder import RunFolder
from promptreid.training.run.train import TrainRequest, train
from promptreid.training.stage.stop_signals import Interrupted

pytestmark = pytest.mark.slow


def names(run: RunFolder) -> list[str]:
    return sorted(path.name for path in (run.path / "checkpoints").iterdir())


def weights(path: Path) -> dict[str, torch.Tensor]:
    found = load_file(path)
    return {name: value for name, value in found.items() if not name.startswith("training/")}


def same(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.fixture(scope="module")
def asked(crops: Path, quick: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory):
    """Two epochs of prompts and four of images, the weights of the latter averaged."""
    more = ("stages.image.epochs=4", "stages.image.ema=0.5", "checkpoints.every=2")
    return TrainRequest(
        recipe="clip-reid",
        overrides=(*quick, *more),
        data=(f"folder:{crops}?repeats=3",),
        out=tmp_path_factory.mktemp("runs") / "whole",
        seed=5,
        device="cpu",
    )


@pytest.fixture(scope="module")
def whole(asked: TrainRequest) -> RunFolder:
    return train(asked, progress=Silent())


def test_epochs_are_counted_over_all_stages(whole: RunFolder) -> None:
    assert names(whole) == [
        "best.safetensors",
        "epoch-002.safetensors",
        "epoch-004.safetensors",
        "epoch-006.safetensors",
        "last.safetensors",
    ]
    found = [read_info(path).epoch.model_dump() for path in whole.epoch_checkpoints()]
    assert found == [
        {"of_run": 2, "stage": "prompts", "epoch": 2},
        {"of_run": 4, "stage": "image", "epoch": 2},
        {"of_run": 6, "stage": "image", "epoch": 4},
    ]


def test_each_holds_the_average_of_its_epoch(whole: RunFolder) -> None:
    two, four, six = whole.epoch_checkpoints()
    # Without validation images the last epoch's average is the best there is.
    assert same(six, whole.best)
    assert not same(four, six)
    prompts = weights(two)["prompt.tokens"]
    assert torch.equal(prompts, weights(six)["prompt.tokens"]), "frozen from there on"
    assert not any(name.startswith("training/") for name in load_file(four))


def test_each_is_a_model_that_evaluate_takes(whole: RunFolder) -> None:
    for path in whole.epoch_checkpoints():
        assert promptreid.load(path).width == promptreid.load(whole.best).width
    path = whole.epoch_checkpoint(4)
    done = CliRunner().invoke(cli, ["evaluate", str(path), "--device", "cpu"])
    assert done.exit_code == 0, done.output
    assert "mAP" in done.output


def test_only_the_newest_stay(asked: TrainRequest, tmp_path: Path) -> None:
    overrides = (*asked.overrides, "checkpoints={every: 1, keep: 2}")
    run = train(replace(asked, overrides=overrides, out=tmp_path / "run"), progress=Silent())
    assert [path.name for path in run.epoch_checkpoints()] == [
        "epoch-005.safetensors",
        "epoch-006.safetensors",
    ]


def test_without_the_setting_there_are_none(asked: TrainRequest, tmp_path: Path) -> None:
    overrides = (*asked.overrides, "checkpoints.every=null", "stages.image.epochs=1")
    run = train(replace(asked, overrides=overrides, out=tmp_path / "run"), progress=Silent())
    assert names(run) == ["best.safetensors", "last.safetensors"]


@pytest.mark.parametrize("images", [40, 55])
def test_a_resumed_run_keeps_the_same_ones(
    asked: TrainRequest, whole: RunFolder, tmp_path: Path, images: int
) -> None:
    again = replace(asked, out=tmp_path / "run", resume=True)
    with pytest.raises(Interrupted):
        train(again, progress=Impatient(images))
    resumed = train(again, progress=Silent())
    assert names(resumed) == names(whole)
    for one, other in zip(resumed.epoch_checkpoints(), whole.epoch_checkpoints(), strict=True):
        assert same(one, other)


def test_folders_order_them_by_number_and_leave_other_files_alone(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    for number in (1000, 20, 999, 5):
        run.epoch_checkpoint(number).touch()
    for name in ("epoch-best.safetensors", "epoch-010.safetensors.tmp", "last.safetensors"):
        (tmp_path / "checkpoints" / name).touch()
    assert [path.name for path in run.epoch_checkpoints()] == [
        "epoch-005.safetensors",
        "epoch-020.safetensors",
        "epoch-999.safetensors",
        "epoch-1000.safetensors",
    ]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("checkpoints.every=0", "checkpoints.every"),
        ("checkpoints.keep=3", "give every, too"),
        ("checkpoints={every: 2, keep: 0}", "checkpoints.keep"),
    ],
)
def test_settings_that_mean_nothing_are_refused(override: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_recipe("clip-reid", [override])
    assert words in str(caught.value)
