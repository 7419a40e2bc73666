"""Several processes train what one would: every loss, weight and score, and only one writes."""

import csv
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import forked_torchrun
import pytest
import torch
from facts import lacking
from forked_processes import Ended, ForkedProcesses
from small_hands import render_small_hands
from train_in_processes import train_in_processes

from promptreid.config.recipes import load_recipe
from promptreid.models.checkpoint import load_training
from promptreid.models.towers.backbone import build_backbone
from promptreid.progress import Silent
from promptreid.runs.run_folder import RunFolder
from promptreid.tensors import read_tensors
from promptreid.training.run.train import TrainRequest, train
from promptreid.training.stage.training_state import TrainingState

pytestmark = pytest.mark.slow

STEPS = 20
RECIPES = {
    "clip-reid": (),
    "finetune-losses/ce-triplet-center": (
        "stages.image.losses.arcface={weight: 1, margin: 0.4, scale: 30}",
        "stages.image.losses.center={weight: 0.01, lr: 0.5, features: [projected]}",
    ),
    "prompt-sg": (),
    "mta-clip": (),
    "pretrain-moco": (),
}
"""Each recipe family with what is changed in it beside its size."""
EPOCHS = {"clip-reid": (2, 5), "pretrain-moco": (5,)}
"""Of each stage, where fewer than seven are twenty steps."""
RECIPES_TOGETHER = {2: ("clip-reid",), 4: tuple(RECIPES)}
"""What several processes train, by their number."""


def small(name: str) -> list[str]:
    """Overrides: a tiny backbone, batches that 2 and 4 do not divide, steps by plain gradients.

    Adam divides a gradient by its size. Where a gradient is zero but for rounding, as that of the
    bias of attention keys, its steps go by the rounding, in one process with another number of
    threads as well. Plain steps have no such weights.
    """
    overrides = ["backbone.name=tiny", "backbone.pretrained=none", "backbone.image_size=[32, 32]"]
    overrides += ["hardware.precision=fp32", "validation.every=5"]
    if name == "clip-reid":
        overrides += ["hardware.accumulate=2"]
    stages = load_recipe(name).stages
    for stage, epochs in zip(stages, EPOCHS.get(name, [7] * len(stages)), strict=True):
        key, balanced = f"stages.{stage.name}", stage.batch.identities is not None
        overrides += [f"{key}.epochs={epochs}"]
        overrides += [f"{key}.augment.pad=2"]
        overrides += [f"{key}.optimizer={{name: sgd, lr: 0.003, momentum: 0.9, weight_decay: 0}}"]
        overrides += [f"{key}.schedule={{name: constant, warmup_epochs: 0}}", f"{key}.clip_norm=1"]
        overrides += [
            f"{key}.batch=" + ("{identities: 5, images: 2}" if balanced else "{size: 11}")
        ]
    return overrides + list(RECIPES[name])


@pytest.fixture(scope="module")
def requests(tmp_path_factory: pytest.TempPathFactory):
    """What is trained, by the number of processes, into a folder for each."""
    root = tmp_path_factory.mktemp("processes")
    render_small_hands(root / "hands", "dorsal right", "palmar left")
    spec = f"hands11k:{root / 'hands'}?repeats=1&aspect="
    data = [spec + "dorsal_right", spec + "palmar_left"]

    def build(count: int) -> list[dict]:
        return [
            {
                "recipe": name,
                "overrides": small(name),
                "data": data,
                "out": str(root / f"{name.replace('/', '-')}-{count}"),
                "device": "cpu",
                "before": name == "clip-reid",
            }
            for name in RECIPES
        ]

    return build


@pytest.fixture(scope="module")
def alone(requests) -> dict[str, RunFolder]:
    return {
        one["recipe"]: train(TrainRequest(**one | {"out": Path(one["out"])}), progress=Silent())
        for one in requests(1)
    }


@pytest.fixture(scope="module", params=RECIPES_TOGETHER)
def together(request, requests, tmp_path_factory):
    """The runs of several processes by recipe, and what each process said."""
    folder = tmp_path_factory.mktemp("said")
    trained = [
        one for one in requests(request.param) if one["recipe"] in RECIPES_TOGETHER[request.param]
    ]
    said = train_in_processes(trained, request.param, folder)
    return {one["recipe"]: RunFolder.open(Path(one["out"])) for one in trained}, said


def read_metrics(run: RunFolder) -> list[dict[str, str]]:
    with (run.path / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def check_equal(name: str, one: RunFolder, several: RunFolder) -> None:
    rows, others = read_metrics(one), read_metrics(several)
    assert len(rows) == len(others), name
    assert sum(int(row["steps"]) for row in rows) >= STEPS, name
    for row, other in zip(rows, others, strict=True):
        for key, value in row.items():
            if key != "seconds" and value:
                expected = value if key == "stage" else pytest.approx(float(value), abs=1e-4)
                got = other[key] if key == "stage" else float(other[key])
                assert got == expected, (name, key)
    weights, found = read_tensors(one.last)[0], read_tensors(several.last)[0]
    assert weights.keys() == found.keys(), name
    differences = {n: (weights[n] - found[n]).abs().max().item() for n in weights}
    assert max(differences.values()) < 1e-5, (name, max(differences, key=differences.__getitem__))
    start = build_backbone("tiny", pretrained="none", image_size=(32, 32)).state_dict()
    frozen = "text.token_embedding.weight"
    assert torch.equal(start[frozen], weights[f"backbone.{frozen}"]), name
    moved = [(weights[f"backbone.{n}"] - start[n]).abs().max().item() for n in start]
    assert max(moved) > 1e-3, name
    precision = [score["mAP"] for score in one.scores()]
    assert [score["mAP"] for score in several.scores()] == pytest.approx(precision, abs=1e-6), name


def test_losses_weights_and_scores_are_those_of_one_process(alone, together):
    runs, _ = together
    for name, run in runs.items():
        check_equal(name, alone[name], run)


def test_the_first_process_alone_speaks_and_writes(together):
    runs, (first, *others) = together
    assert "loss" in first
    assert others == [""] * len(others)
    for run in runs.values():
        epochs = [line for line in run.log.read_text().splitlines() if "  loss " in line]
        assert len(epochs) == len(read_metrics(run))
        assert run.status().status == "complete"
        assert not list(run.path.rglob("*.tmp"))
        assert run.environment().processes == 1 + len(others)


def write_command(request: dict, *, out: Path) -> list[str]:
    """The words of the command line for a request, which goes on where a run has stopped."""
    data = [word for spec in request["data"] for word in ("--data", spec)]
    return [
        "-m", "promptreid", "train", request["recipe"], *request["overrides"], *data,
        "--out", str(out), "--resume", "--device", "cpu",
    ]  # fmt: skip


def wait_for(path: Path, are_running: Callable[[], bool]) -> None:
    """Wait until a file is there, while processes run."""
    while not path.exists():
        assert are_running()
        time.sleep(0.01)


def check_weights(alone: RunFolder, run: RunFolder) -> None:
    weights, found = read_tensors(alone.last)[0], read_tensors(run.last)[0]
    assert max((weights[n] - found[n]).abs().max().item() for n in weights) < 1e-5


@pytest.fixture(scope="module")
def clip_reid(requests) -> dict:
    """What is stopped and killed."""
    return next(one for one in requests(1) if one["recipe"] == "clip-reid")


@pytest.fixture(scope="module")
def stopped(clip_reid, tmp_path_factory) -> tuple[RunFolder, list[Ended]]:
    """A run of two processes of which the second got SIGTERM, and how both have ended."""
    run = RunFolder(tmp_path_factory.mktemp("stopped") / "run")
    both = ForkedProcesses(write_command(clip_reid, out=run.path), 2)
    wait_for(run.last, both.are_running)
    os.kill(both.pids[1], signal.SIGTERM)
    return run, both.wait()


def test_a_request_to_stop_one_stops_all_behind_a_checkpoint(stopped):
    run, (first, second) = stopped
    assert (first.code, second.code) == (130, 130)
    assert run.status().status == "stopped"
    saved = TrainingState.unpack(load_training(run.last))
    assert saved.step > 0 or saved.epoch > 1 or saved.stage == 1
    assert not run.has_scores
    assert not lacking(first.errors, "stopped", "--resume", str(run.path))
    assert second.errors == ""


def test_a_killed_process_is_named_and_the_run_goes_on_with_another_number(
    clip_reid, alone, tmp_path
):
    run = RunFolder(tmp_path / "run")
    both = ForkedProcesses(write_command(clip_reid, out=run.path), 2)
    wait_for(run.last, both.are_running)
    os.kill(both.pids[1], signal.SIGKILL)
    begun = time.monotonic()
    first, second = both.wait(timeout=60)
    assert time.monotonic() - begun < 30
    assert second.code == -signal.SIGKILL
    assert first.code == 2
    assert not lacking(first.errors, "Rank 1", f"process {both.pids[1]}", "has ended", "--resume")
    assert run.status().status == "failed"
    assert not run.has_scores
    resumed = train(TrainRequest(out=run.path, resume=True, any_threads=True), progress=Silent())
    assert "resuming" in resumed.log.read_text()
    check_weights(alone["clip-reid"], resumed)


def test_torchrun_goes_on_and_starts_killed_processes_again(clip_reid, stopped, alone):
    """It goes on with the run that was stopped; one of its processes is killed."""
    run, _ = stopped
    module = write_command(clip_reid, out=run.path)[1:]
    torchrun = ForkedProcesses([forked_torchrun.__file__, *module], 1)
    while "resuming" not in run.log.read_text():
        assert torchrun.are_running(), torchrun.wait()
        time.sleep(0.01)
    workers = list_children(torchrun.pids[0])
    assert len(workers) == 2
    os.kill(workers[1], signal.SIGKILL)
    (ended,) = torchrun.wait(timeout=300)
    assert ended.code == 0, ended.errors
    assert ended.errors.count("failed (exitcode: ") == 1
    assert run.status().status == "complete"
    assert run.log.read_text().count("resuming") == 2
    check_weights(alone["clip-reid"], run)


def list_children(parent: int) -> list[int]:
    """Processes that a process has started, in the order of their numbers."""
    folders = Path("/proc").glob("[0-9]*")
    return sorted(
        int(folder.name)
        for folder in folders
        if (folder / "stat").read_text().rpartition(")")[2].split()[1] == str(parent)
    )
