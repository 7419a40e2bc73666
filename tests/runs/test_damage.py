"""Every file of a run under every damage: each reader says it, or does not read that file.

A reader must never fail in another way, and never give another result than before the damage. More
flipped bits than the 20 of each file are tried with `PROMPTREID_FLIPS=1000`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
from run_records import environment_record, result_of
from small_models import VIT, small_backbone

from promptreid.actions.run_data_specs import find_run_data
from promptreid.config.recipes import load_recipe
from promptreid.data.dataset import DataSet
from promptreid.data.images.preprocess import Preprocess
from promptreid.data.load_data import load_data
from promptreid.errors import PromptReIDError
from promptreid.inference.load import load
from promptreid.models.checkpoint import SavedTraining, load_training, read_info, save_model
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel
from promptreid.pages.collect_runs import run_facts
from promptreid.runs import run_files as folder
from promptreid.runs.run_data import check_same_data, record_data
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_images import list_images
from promptreid.runs.run_records import BestRecord, StatusRecord
from promptreid.runs.seen_identities import make_testable
from promptreid.sweeps.run_results import read_runs
from promptreid.training.run.run_plan import TrainRequest, make_plan

pytestmark = pytest.mark.slow

FLIPS = int(os.environ.get("PROMPTREID_FLIPS", "20"))
FILES = (
    "recipe.yaml", "environment.json", "data.json", "images.csv", "status.json", "metrics.csv",
    "scores.json", "note.txt", "run.json", "checkpoints/best.safetensors",
    "checkpoints/last.safetensors",
)  # fmt: skip
OTHERS = {
    "empty": b"", "list": b"[]", "mapping": b"{}", "zeros": bytes(4096), "not UTF-8": b"\xff\xfe{}",
    "open": b"{", "deep": b"[" * 100_000, "digits": b"9" * 5000, "NaN": b'{"mAP": NaN}',
    "text": b'"complete"', "number": b"3",
}  # fmt: skip


def make(path: Path, spec: str, seed: int) -> RunFolder:
    """Write a whole run, complete and scored, with all kinds of files."""
    dataset, recipe = load_data(spec), load_recipe("clip-reid", [f"stages.image.epochs={seed + 2}"])
    run = RunFolder.create(
        path,
        recipe=recipe,
        environment=environment_record(seed, device="cpu"),
        data=[record_data(dataset, "train", run=path)],
        images=list_images([dataset]),
        note=f"run {seed}",
    )
    epochs = range(1, seed + 3)
    run.write_metrics([{"stage": "image", "epoch": n, "loss": 1 / (n + seed)} for n in epochs])
    run.write_scores([result_of(data=spec, mAP=0.5 + seed / 10)])
    best = BestRecord(score=0.5, chosen_at="stage image, epoch 2")
    run.write_status(StatusRecord(status="complete", training_seconds=3.0 + seed, best=best))
    torch.manual_seed(seed)
    backbone = small_backbone(VIT, text={"vocab_size": 64, "width": 32, "layers": 1})
    model = ReIDModel(backbone)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    preprocess = Preprocess(image_size=(64, 64))
    info = CheckpointInfo(preprocess=preprocess, recipe=recipe, run=run.id, seed=seed)
    save_model(run.best, model, info)
    training = SavedTraining({"optimizer/x/step": torch.arange(5.0) + seed}, {"epoch": 7})
    save_model(run.last, model, info, training=training)
    return run


@pytest.fixture(scope="module")
def dataset(crops: Path) -> DataSet:
    return load_data(f"folder:{crops}?train=0.5")


@pytest.fixture(scope="module")
def whole(dataset: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("whole") / "run", dataset.spec, 0).path


@pytest.fixture(scope="module")
def stranger(dataset: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("stranger") / "run", dataset.spec, 1).path


def weights(path: Path) -> Any:
    embedder = load(path, device="cpu")
    tensors = embedder.model.state_dict()
    digests = {name: sha256(tensor.numpy()).hexdigest() for name, tensor in tensors.items()}
    return digests, embedder.info


def readers(path: Path, dataset: DataSet) -> dict[str, Callable[[Path], Any]]:
    """Return what commands do with a run folder before they compute, by name."""
    beside: list[str] = []
    embedder = load(path, device="cpu")

    def compare(path: Path) -> Any:
        (record,) = read_runs([path])
        if record.problem:
            raise PromptReIDError(record.problem)
        return record

    def evaluate(path: Path) -> Any:
        return find_run_data([path]), make_testable([path], dataset, say=beside.append)

    def report(path: Path) -> Any:
        return run_facts("run", path, embedder), RunFolder.open(path).training()

    def resume(path: Path) -> Any:
        plan, run = make_plan(TrainRequest(out=path, resume=True, device="cpu"))
        assert run is not None
        check_same_data(run, [dataset])
        run.check_id(run.last, read_info(run.last).run or run.id)
        training = load_training(run.last)
        found = {name: tensor.tolist() for name, tensor in training.tensors.items()}
        return plan, run.status(), found, training.values, run.note()

    def last(path: Path) -> Any:
        return weights(RunFolder(path).last)

    return {
        "load": weights, "load last": last, "compare": compare, "evaluate": evaluate,
        "report": report,
        "resume": resume,
    }  # fmt: skip


def damages(content: bytes, name: str, other: bytes) -> list[tuple[str, bytes]]:
    """Return contents to put in place of a file's own, with what they are."""
    length = len(content)
    found = [(kind, made) for kind, made in OTHERS.items() if made != content]
    found += [(f"cut to {n}", content[:n]) for n in (1, length // 3, length // 2, length - 2)]
    found += [("zeros of its length", bytes(length)), ("another run's", other)]
    random = np.random.default_rng([len(name), length])
    flips = random.choice(8 * length, min(FLIPS, 8 * length), replace=False)
    for bit in map(int, flips):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        found.append((f"bit {bit}", bytes(flipped)))
    return found


def reads(call: Callable[[Path], Any], path: Path, file: Path) -> bool:
    """Tell whether a reader looks into a file, judged by whether it minds nonsense there."""
    before, content = call(path), file.read_bytes()
    for nonsense in (b"", b"nonsense\n"):
        file.write_bytes(nonsense)
        try:
            minds = not same(call(path), before)
        except (PromptReIDError, click.ClickException):
            minds = True
        file.write_bytes(content)
        if minds:
            return True
    return False


def same(one: Any, other: Any) -> bool:
    """Compare results; how a run is named does not count."""
    return repr(one) == repr(other)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader waits for a run that may be writing; here none is."""
    monkeypatch.setattr(folder, "_PAUSE", 0)


@pytest.mark.parametrize("name", FILES)
def test_no_damage_is_taken_and_none_is_a_failure_of_ours(
    whole: Path, stranger: Path, dataset: DataSet, tmp_path: Path, name: str
) -> None:
    path = Path(shutil.copytree(whole, tmp_path / "run"))
    file = path / name
    content = file.read_bytes()
    every = readers(path, dataset)
    calls = {reader: call for reader, call in every.items() if reads(call, path, file)}
    assert calls, f"no reader looks into {name}"
    before = {reader: call(path) for reader, call in calls.items()}
    said = 0
    for kind, damaged in damages(content, name, (stranger / name).read_bytes()):
        file.write_bytes(damaged)
        for reader, call in calls.items():
            where = f"{name}, {kind}, {reader}"
            try:
                after = call(path)
            except (PromptReIDError, click.ClickException):
                said += 1
            except Exception as error:
                pytest.fail(f"{where}: {type(error).__name__}: {error}")
            else:
                assert same(after, before[reader]), f"{where}: taken without a word"
    assert said >= FLIPS
    file.write_bytes(content)
    assert all(same(call(path), before[reader]) for reader, call in calls.items())


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_or_a_folder_in_its_place_is_said(
    whole: Path, dataset: DataSet, tmp_path: Path, name: str
) -> None:
    path = Path(shutil.copytree(whole, tmp_path / "run"))
    calls = readers(path, dataset)
    before = {reader: call(path) for reader, call in calls.items()}
    (path / name).unlink()
    for place in ("missing", "a folder"):
        if place == "a folder":
            (path / name).mkdir()
        for reader, call in calls.items():
            try:
                after = call(path)
            except (PromptReIDError, click.ClickException):
                continue
            except Exception as error:
                pytest.fail(f"{name} is {place}, {reader}: {type(error).__name__}: {error}")
            optional = name in ("note.txt", "recipe.yaml", "checkpoints/best.safetensors")
            assert same(after, before[reader]) or optional, f"{name} is {place}, {reader}"
