"""Whole runs on small data: what they leave, how they stop and go on."""

import csv
import json
import pickle
import shutil
import signal
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version

import pytest
import torch
from forked_processes import run_processes
from impatient import Impatient
from safetensors.torch import load_file

from promptreid.errors import ConfigError, DataError, RunError
from promptreid.models.checkpoint import load_model, load_training, read_info
from promptreid.progress import Silent
from promptreid.training.run.train import TrainRequest, train
from promptreid.training.stage.stop_signals import Interrupted

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def request_(crops, quick, tmp_path_factory):
    return TrainRequest(
        recipe="clip-reid",
        overrides=(*quick, "validation.kind=images"),
        data=(f"folder:{crops}?repeats=3",),
        out=tmp_path_factory.mktemp("runs") / "whole",
        seed=5,
        device="cpu",
    )


@pytest.fixture(scope="module")
def whole(request_):
    return train(request_, progress=Silent())


def weights(run, name="last"):
    return load_file(run.path / "checkpoints" / f"{name}.safetensors")


def metrics(run):
    with (run.path / "metrics.csv").open() as handle:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(handle)]


def assert_same_run(one, other):
    for name in ("last", "best"):
        first, second = weights(one, name), weights(other, name)
        assert first.keys() == second.keys()
        for key in first:
            assert torch.equal(first[key], second[key]), key
    assert metrics(one) == metrics(other)
    assert one.scores()[0]["mAP"] == other.scores()[0]["mAP"]
    chosen = [read_info(run.best).verification for run in (one, other)]
    assert chosen[0] == chosen[1]


def test_what_a_run_holds(whole, request_, crops):
    assert whole.status().status == "complete"
    environment = whole.environment()
    assert environment.seed == 5
    assert environment.packages["torch"] == version("torch")
    (record,) = whole.data()
    assert record.spec == request_.data[0]
    assert record.splits["train"]["identities"] == 6
    assert len(record.fingerprint) >= 16
    rows = metrics(whole)
    assert [(row["stage"], row["epoch"]) for row in rows] == [
        ("prompts", "1"),
        ("prompts", "2"),
        ("image", "1"),
        ("image", "2"),
    ]
    assert rows[3]["val_mAP"]
    assert not rows[1]["val_mAP"]


def test_what_was_said_is_kept_with_its_time(whole):
    lines = (whole.path / "log.txt").read_text().splitlines()
    epochs = [line for line in lines if "prompts 1/2" in line or "image 2/2" in line]
    assert len(epochs) == 2
    for line in lines:
        datetime.fromisoformat(line.partition("  ")[0])


def test_scores_file_has_the_documented_keys(whole):
    scores = whole.scores()[0]
    assert set(scores) >= {
        "protocol", "ap", "repeats", "mAP", "mINP", "cmc", "std", "queries",
        "queries_without_match", "gallery",
    }  # fmt: skip
    assert set(scores["cmc"]) == {"1", "5", "10", "20"}
    assert scores["repeats"] == 3
    assert 0 < scores["mAP"] <= 1


def test_only_the_stages_parts_changed(whole, request_, tmp_path):
    prompts_only = replace(
        request_,
        overrides=(*request_.overrides, "stages.image.epochs=1", "stages.image.optimizer.lr=1e-30"),
        out=tmp_path / "run",
    )
    still = weights(train(prompts_only, progress=Silent()))
    moved = weights(whole)
    same = {name for name in still if name in moved and torch.equal(still[name], moved[name])}
    text = {name for name in moved if name.startswith("backbone.text.")}
    assert text <= same
    assert any(name.startswith("backbone.image.") and name not in same for name in moved)


def test_checkpoints_rebuild_their_model_and_say_what_it_was_made_from(whole):
    model, info = load_model(whole.best)
    assert list(info.classes) == sorted(info.classes, key=int)
    assert info.preprocess.train_interpolation == "bicubic"
    assert model.prompt is not None
    assert model.head is not None


def test_same_seed_same_bits_other_seed_other_bits(whole, request_, tmp_path):
    again = train(replace(request_, out=tmp_path / "again"), progress=Silent())
    assert_same_run(whole, again)
    other = train(replace(request_, out=tmp_path / "other", seed=6), progress=Silent())
    assert not torch.equal(weights(whole)["prompt.tokens"], weights(other)["prompt.tokens"])


@pytest.mark.parametrize("images", [5, 35, 62, 75])
def test_ctrl_c_anywhere_then_resume_gives_the_same_bits(whole, request_, tmp_path, images):
    asked = replace(request_, out=tmp_path / "run", resume=True)
    with pytest.raises(Interrupted):
        train(asked, progress=Impatient(images))
    assert json.loads((tmp_path / "run" / "status.json").read_text())["status"] == "stopped"
    assert_same_run(whole, train(asked, progress=Silent()))


def test_resume_needs_only_the_folder(whole, request_, tmp_path):
    with pytest.raises(Interrupted):
        train(replace(request_, out=tmp_path / "run"), progress=Impatient(20))
    run = train(TrainRequest(out=tmp_path / "run", resume=True, device="cpu"), progress=Silent())
    assert_same_run(whole, run)


KILLED = """
import pickle, signal, sys
from impatient import Impatient
from promptreid.training.run.train import train
with open(sys.argv[1], "rb") as asked:
    train(pickle.load(asked), progress=Impatient(75, signal.SIGKILL))
"""


def test_kill_nine_then_resume_gives_the_same_bits(whole, request_, tmp_path):
    out = tmp_path / "killed"
    program, asked = tmp_path / "killed.py", tmp_path / "asked.pickle"
    program.write_text(KILLED)
    asked.write_bytes(pickle.dumps(replace(request_, out=out)))
    (ended,) = run_processes([str(program), str(asked)], 1)
    # The first epoch of the second stage is done and kept; the last one has begun.
    assert ended.code == -signal.SIGKILL, ended.errors
    state = load_training(out / "checkpoints" / "last.safetensors").values
    assert (state["stage"], state["epoch"]) == (1, 1)
    assert not (out / "scores.json").exists()
    assert not list(out.rglob("*.csv.tmp"))
    resumed = train(TrainRequest(out=out, resume=True, device="cpu"), progress=Silent())
    assert_same_run(whole, resumed)


def test_killed_before_the_first_checkpoint(whole, request_, tmp_path):
    with pytest.raises(Interrupted):
        train(replace(request_, out=tmp_path / "run"), progress=Impatient(5))
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    resumed = train(replace(request_, out=tmp_path / "run", resume=True), progress=Silent())
    assert_same_run(whole, resumed)


def test_complete_run_is_left_alone(whole, request_):
    before = weights(whole)
    run = train(replace(request_, resume=True), progress=Silent())
    assert all(torch.equal(before[key], value) for key, value in weights(run).items())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 9}, "was started with --seed 5, not 9"),
        ({"data": ("folder:/elsewhere",)}, "was started with --data folder:"),
        ({"overrides": ("stages.image.epochs=9",)}, "stages.image.epochs was 2 and is now 9"),
        (
            {"overrides": ("hardware.accumulate=2", "hardware.precision=fp16")},
            "hardware.precision was 'auto' and is now 'fp16'",
        ),
    ],
)
def test_resume_with_something_else_is_refused(whole, request_, change, words):
    if "overrides" in change:
        change = {"overrides": (*request_.overrides, *change["overrides"])}
    with pytest.raises(RunError, match="whole was started with") as caught:
        train(replace(request_, resume=True, **change), progress=Silent())
    assert words in str(caught.value)


def test_resume_after_the_data_changed_is_refused(request_, crops, tmp_path):
    shutil.copytree(crops, tmp_path / "set")
    asked = replace(request_, data=(f"folder:{tmp_path / 'set'}?repeats=3",), out=tmp_path / "run")
    with pytest.raises(Interrupted):
        train(asked, progress=Impatient(20))
    (tmp_path / "set" / "000" / "1.png").unlink()
    with pytest.raises(RunError, match="have changed since"):
        train(replace(asked, resume=True), progress=Silent())


def test_folder_in_use_is_refused(whole, request_):
    with pytest.raises(RunError, match="not empty"):
        train(request_, progress=Silent())


def test_too_few_identities_says_which_setting(request_, tmp_path):
    overrides = (*request_.overrides, "stages.image.batch={identities: 16, images: 4}")
    with pytest.raises(DataError, match=r"stages\.image\.batch\.identities to at most 6"):
        train(replace(request_, overrides=overrides, out=tmp_path / "run"), progress=Silent())


def test_camera_embedding_without_cameras(request_, tmp_path):
    overrides = (*request_.overrides, "sie.camera=true")
    with pytest.raises(ConfigError, match="no training image has a camera"):
        train(replace(request_, overrides=overrides, out=tmp_path / "run"), progress=Silent())
    assert not (tmp_path / "run").exists()


def test_loss_that_is_not_finite_names_the_ways_out(request_, tmp_path):
    key = "stages.prompts.optimizer"
    overrides = (*request_.overrides, f"{key}.lr=9e15", f"{key}.weight_decay=9e15")
    with pytest.raises(RunError, match=r"Lower\s+stages\.prompts\.optimizer\.lr"):
        train(replace(request_, overrides=overrides, out=tmp_path / "run"), progress=Silent())


def test_zero_shot_run_scores_and_is_reloadable(request_, tmp_path):
    asked = TrainRequest(
        recipe="zero-shot",
        overrides=("backbone.name=tiny", "backbone.pretrained=none", "backbone.image_size=32"),
        data=request_.data,
        out=tmp_path / "zero",
        device="cpu",
    )
    run = train(asked, progress=Silent())
    assert run.scores()[0]["queries"] > 0
    model, _ = load_model(run.best)
    assert model.prompt is None
    assert model.embedding.features == ("projected",)


def test_several_data_sets_keep_their_identities_apart(request_, crops, tmp_path):
    shutil.copytree(crops, tmp_path / "other")
    data = (*request_.data, f"folder:{tmp_path / 'other'}?repeats=3")
    run = train(replace(request_, data=data, out=tmp_path / "run"), progress=Silent())
    assert len(read_info(run.best).classes) == 12
    results = run.scores()
    assert [result["data"] for result in results] == list(data)
