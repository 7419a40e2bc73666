"""Runs that trackers look at: what they are told, also after a stop, and that none can harm."""

import csv
import io
import json
import os
import shutil
import signal
import sys
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image
from recording_tracker import Recorder
from safetensors.torch import load_file

from promptreid.errors import ConfigError, DataError
from promptreid.progress import Silent
from promptreid.runs.run_folder import RunFolder
from promptreid.tracking import tracker_group as group
from promptreid.tracking.tracker_group import read_tracking
from promptreid.tracking.values import epoch_values
from promptreid.training.run.train import TrainRequest, train
from promptreid.training.stage import trainer
from promptreid.training.stage.stop_signals import Interrupted

pytestmark = pytest.mark.slow


@pytest.fixture
def recorder(monkeypatch):
    recorder = Recorder()
    take_over(monkeypatch, recorder)
    return recorder


def take_over(monkeypatch, recorder):
    """Let recording trackers stand for all but TensorBoard's."""
    real = group.make_tracker
    monkeypatch.setattr(
        group,
        "make_tracker",
        lambda spec: real(spec) if spec.kind == "tensorboard" else recorder.make(spec),
    )
    monkeypatch.setattr("promptreid.training.run.run_plan.check_installed", lambda specs: None)


def asked(crops, quick, out, *track):
    return TrainRequest(
        recipe="clip-reid",
        overrides=(*quick, "stages.prompts.epochs=1", "validation.kind=images"),
        data=(f"folder:{crops}",),
        out=out,
        seed=5,
        device="cpu",
        track=track,
    )


@pytest.fixture
def request_(crops, quick, tmp_path):
    return asked(crops, quick, tmp_path / "run", "wandb:reid")


@pytest.fixture(scope="module")
def whole(crops, quick, tmp_path_factory):
    """A run that a recording tracker saw, and TensorBoard where it is installed."""
    recorder, real = Recorder(), ["tensorboard"] if find_spec("tensorboard") else []
    with pytest.MonkeyPatch.context() as patched:
        take_over(patched, recorder)
        out = tmp_path_factory.mktemp("tracked") / "run"
        run = train(asked(crops, quick, out, "wandb:reid", *real), progress=Silent())
    return run, recorder


@pytest.fixture(scope="module")
def stopped(crops, quick, tmp_path_factory):
    """A run that was stopped after two of its three epochs."""
    recorder = Recorder()
    out = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.MonkeyPatch.context() as patched:
        take_over(patched, recorder)
        stop_after(2, patched)
        with pytest.raises(Interrupted):
            train(asked(crops, quick, out, "wandb:reid"), progress=Silent())
    return out, recorder


def table(run):
    with (run.path / "metrics.csv").open() as handle:
        return list(csv.DictReader(handle))


def stop_after(epochs, monkeypatch):
    """Ask for a stop as Ctrl-C does, when so many epochs of the whole run have ended."""
    real, seen = trainer.epoch_line, []

    def line(row, total):
        seen.append(row)
        if len(seen) == epochs:
            os.kill(os.getpid(), signal.SIGINT)
        return real(row, total)

    monkeypatch.setattr(trainer, "epoch_line", line)


class Said(Silent):
    def __init__(self):
        self.lines = []

    def message(self, text):
        self.lines.append(text)


def test_tracker_sees_the_whole_run(whole):
    run, recorder = whole
    assert recorder.names() == ["start", "log", "log", "log", "summary", "image", "finish"]
    ((info, known),) = recorder.of("start")
    assert known is None
    assert info.name == "run"
    assert info.step == 0
    assert info.recipe == run.recipe().model_dump(mode="json")
    assert info.environment["seed"] == run.environment().seed
    assert [one["spec"] for one in info.data] == [one.spec for one in run.data()]
    logged = recorder.of("log")
    assert [step for _, step in logged] == [1, 2, 3]
    for (values, _), row in zip(logged, table(run), strict=True):
        stage = row.pop("stage")
        numbers = {key: float(value) for key, value in row.items() if value != ""}
        assert values == epoch_values({"stage": stage, **numbers})
    assert {"image/loss_id", "image/lr", "image/accuracy", "validation/mAP"} <= logged[2][0].keys()
    ((scores,),) = recorder.of("summary")
    assert scores["scores/mAP"] == run.scores()[0]["mAP"]
    ((name, pixels, step),) = recorder.of("image")
    assert (name, step) == ("ranks/worst", 3)
    assert pixels.dtype == "uint8"
    assert pixels.shape[2] == 3
    assert len(np.unique(pixels)) > 50
    assert recorder.of("finish") == [("complete",)]
    assert run.status().trackers_dropped == ()
    assert {record.sent for record in read_tracking(run.path)} == {3}


def test_stopped_run_goes_on_as_the_same_tracked_run(recorder, stopped, tmp_path):
    folder, before = stopped
    assert before.of("finish") == [("stopped",)]
    out = shutil.copytree(folder, tmp_path / "run")
    known = json.loads((out / "tracking.json").read_text())["trackers"][0]["id"]
    run = train(TrainRequest(out=out, resume=True, device="cpu"), progress=Silent())
    ((info, told),) = recorder.of("start", "wandb:reid")  # which nobody named again
    assert told == known
    assert info.step == 2
    assert [step for _, step in before.of("log")] == [1, 2]
    assert [step for _, step in recorder.of("log")] == [3]
    rows = [*before.of("log"), *recorder.of("log")]
    for (values, _), row in zip(rows, table(run), strict=True):
        assert values[f"{row['stage']}/loss"] == float(row["loss"])
    assert run.status().status == "complete"


def test_resumed_run_can_leave_its_trackers(recorder, stopped, tmp_path):
    out = shutil.copytree(stopped[0], tmp_path / "run")
    request = TrainRequest(out=out, resume=True, device="cpu", track=("none",))
    assert train(request, progress=Silent()).status().status == "complete"
    assert recorder.calls == []


def test_resume_without_the_package_says_what_to_do(stopped, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    out = shutil.copytree(stopped[0], tmp_path / "run")
    with pytest.raises(ConfigError, match="--track none"):
        train(TrainRequest(out=out, resume=True, device="cpu"), progress=Silent())


def test_failing_trackers_harm_no_run(recorder, request_):
    methods = ("start", "log", "summary", "image", "finish")
    for method in methods:
        recorder.errors[(f"mlflow:{method}", method)] = OSError("no network")
    failing = [f"mlflow:{method}" for method in methods]
    run = train(replace(request_, track=(*failing, "wandb:reid")), progress=Silent())
    status = run.status()
    assert status.complete
    assert [note["tracker"] for note in status.trackers_dropped] == failing
    assert {note["error"] for note in status.trackers_dropped} == {"OSError: no network"}
    calls = ["start", "log", "log", "log", "summary", "image", "finish"]
    assert recorder.names("wandb:reid") == calls
    for method in methods:
        assert recorder.names(f"mlflow:{method}") == calls[: calls.index(method) + 1]


def test_drop_is_noted_and_made_good_by_the_resumed_run(recorder, request_, monkeypatch):
    recorder.errors[("wandb:reid", "log")] = OSError("no network")
    with monkeypatch.context() as patched:
        stop_after(2, patched)
        with pytest.raises(Interrupted):
            train(request_, progress=Silent())
    status = RunFolder(request_.out).status()
    assert status.status == "stopped"
    assert status.trackers_dropped[0]["while"] == "logging"
    recorder.errors.clear()
    recorder.calls.clear()
    run = train(TrainRequest(out=request_.out, resume=True, device="cpu"), progress=Silent())
    assert [step for _, step in recorder.of("log")] == [1, 2, 3]  # what was missed comes first
    assert run.status().trackers_dropped == ()


def test_complete_run_is_shown_to_a_tracker_that_missed_it(recorder, whole, tmp_path):
    out = shutil.copytree(whole[0].path, tmp_path / "run")
    status = RunFolder(out).status()
    dropped = {"trackers_dropped": ({"tracker": "mlflow"},)}
    RunFolder(out).write_status(status.model_copy(update=dropped))
    train(TrainRequest(out=out, resume=True, device="cpu"), progress=Silent())
    assert recorder.calls == []
    request = TrainRequest(out=out, resume=True, device="cpu", track=("mlflow",))
    run = train(request, progress=Silent())
    assert recorder.names() == ["start", "log", "log", "log", "summary", "finish"]
    assert recorder.of("log") == whole[1].of("log")
    assert recorder.of("summary") == whole[1].of("summary")
    assert run.status() == status


def test_tracked_run_ends_with_the_same_weights(whole, request_):
    tracked, _ = whole
    plain = train(replace(request_, track=()), progress=Silent())
    assert not (plain.path / "tracking.json").exists()
    one, other = load_file(tracked.last), load_file(plain.last)
    assert one.keys() == other.keys()
    assert all((one[name] == other[name]).all() for name in one)
    for first, second in zip(table(tracked), table(plain), strict=True):
        assert {**first, "seconds": 0} == {**second, "seconds": 0}


def test_wrong_tracker_leaves_no_folder(request_):
    with pytest.raises(ConfigError, match="Did you mean 'wandb'"):
        train(replace(request_, track=("wanb",)), progress=Silent())
    assert not request_.out.exists()


def test_failed_run_is_told(recorder, request_, quick, monkeypatch):
    def broken(*_, **__):
        raise DataError("The test images are gone.")

    monkeypatch.setattr("promptreid.training.run.final_scores.assess", broken)
    tiny = tuple(override for override in quick if override.startswith("backbone."))
    with pytest.raises(DataError):
        train(replace(request_, recipe="zero-shot", overrides=tiny), progress=Silent())
    assert recorder.names() == ["start", "finish"]
    assert recorder.of("finish") == [("failed",)]


def test_pictures_of_several_test_sets_have_names_of_their_own(recorder, request_, quick, crops):
    tiny = tuple(override for override in quick if override.startswith("backbone."))
    copy = request_.out.parent / "copy"
    shutil.copytree(crops, copy)
    data = (f"folder:{crops}", f"folder:{copy}")
    request = replace(request_, recipe="zero-shot", overrides=tiny, data=data)
    run = train(request, progress=Silent())
    assert [name for name, *_ in recorder.of("image")] == [
        "ranks/folder/worst",
        "ranks/folder-2/worst",
    ]
    assert {step for *_, step in recorder.of("image")} == {0}
    assert "scores/folder-2/mAP" in recorder.of("summary")[0][0]
    assert len(run.scores()) == 2


def test_without_matplotlib_one_line_says_that_there_are_no_pictures(
    recorder, request_, quick, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    tiny = tuple(override for override in quick if override.startswith("backbone."))
    said = Said()
    run = train(replace(request_, recipe="zero-shot", overrides=tiny), progress=said)
    assert recorder.names() == ["start", "summary", "finish"]
    assert recorder.of("finish") == [("complete",)]
    (line,) = [line for line in said.lines if "rank lists" in line]
    assert "pip install 'promptreid[report]'" in line
    assert line in (run.path / "log.txt").read_text()


def test_pictures_can_be_mosaics_or_stay_at_home_and_a_resumed_run_remembers(
    recorder, request_, quick, monkeypatch
):
    tiny = tuple(override for override in quick if override.startswith("backbone."))
    request = replace(request_, recipe="zero-shot", overrides=tiny)
    colours = []
    for kind in ("plain", "pixelated"):
        out = request_.out.parent / kind
        train(replace(request, out=out, track_pictures=kind), progress=Silent())
        *_, (_, pixels, _) = recorder.of("image")
        colours.append(len(np.unique(pixels.reshape(-1, 3), axis=0)))
    assert colours[1] < colours[0]

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("promptreid.training.run.train.score_run", stop)
        with pytest.raises(Interrupted):
            train(replace(request, track_pictures="none"), progress=Silent())
    recorder.calls.clear()
    train(TrainRequest(out=request.out, resume=True, device="cpu"), progress=Silent())
    assert recorder.names() == ["start", "summary", "finish"]


def test_a_wrong_kind_of_pictures_is_refused(request_):
    with pytest.raises(ConfigError, match="Did you mean 'pixelated'"):
        train(replace(request_, track_pictures="pixelate"), progress=Silent())
    assert not request_.out.exists()


def test_no_picture_is_drawn_for_nobody(request_, quick, monkeypatch):
    monkeypatch.setattr("promptreid.training.run.final_scores.draw_ranks", None)
    tiny = tuple(override for override in quick if override.startswith("backbone."))
    run = train(replace(request_, recipe="zero-shot", overrides=tiny, track=()), progress=Silent())
    assert run.status().status == "complete"


def test_tensorboard_for_real(whole):
    pytest.importorskip(
        "tensorboard", reason="tensorboard is not installed: promptreid[tensorboard]"
    )
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run, recorder = whole
    reader = EventAccumulator(str(run.path / "tensorboard"))
    reader.Reload()
    names = reader.Tags()["scalars"]
    losses = [float(row["loss"]) for row in table(run) if row["stage"] == "image"]
    events = reader.Scalars("image/loss")
    assert [event.step for event in events] == [2, 3]
    assert [event.value for event in events] == pytest.approx(losses, rel=1e-6)
    assert {"prompts/loss", "validation/mAP", "scores/mAP", "scores/rank1"} <= set(names)
    assert reader.Tags()["images"] == ["ranks/worst"]
    (shown,) = reader.Images("ranks/worst")
    assert shown.step == 3
    with Image.open(io.BytesIO(shown.encoded_image_string)) as picture:
        assert picture.size == (shown.width, shown.height)
        assert np.array_equal(np.asarray(picture.convert("RGB")), recorder.of("image")[0][1])
    (score,) = reader.Scalars("scores/mAP")
    assert score.value == pytest.approx(run.scores()[0]["mAP"], rel=1e-6)
