from __future__ import annotations

import json

import pytest
from run_records import data_of, environment_record

from promptreid.config.recipes import load_recipe
from promptreid.config.sweep import Sweep
from promptreid.errors import RunError
from promptreid.progress import Silent
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_records import StatusRecord
from promptreid.sweeps import run_sweep as module
from promptreid.sweeps.run_sweep import run_sweep
from promptreid.sweeps.sweep_plan import plan_sweep
from promptreid.training.stage.stop_signals import Interrupted

from .conftest import result


class Messages(Silent):
    def __init__(self):
        self.lines = []

    def message(self, text):
        self.lines.append(text)


class Training:
    """Stands for `train`: writes a run folder, or does what it is told for a name."""

    def __init__(self):
        self.requests, self.faults = [], {}

    def __call__(self, request, *, progress):
        self.requests.append(request)
        fault = self.faults.get(request.out.name)
        if isinstance(fault, BaseException):
            raise fault
        if (request.out / "recipe.yaml").is_file():
            run = RunFolder.open(request.out)
        else:
            roles = [("train", request.data), ("test", request.test)]
            data = [data_of(spec, role) for role, specs in roles for spec in specs]
            run = RunFolder.create(
                request.out,
                recipe=load_recipe(request.recipe, request.overrides),
                environment=environment_record(request.seed),
                data=data,
            )
        if fault == "stop":
            run.write_status(StatusRecord(status="stopped", at="in stage image"))
            raise Interrupted(str(run.path))
        run.write_scores([result(0.5)])
        run.write_status(StatusRecord(status="complete"))
        return run


@pytest.fixture
def training(monkeypatch):
    fake = Training()
    monkeypatch.setattr(module, "train", fake)
    monkeypatch.setattr(module.gc, "collect", lambda: 0)  # half a second each time
    return fake


@pytest.fixture
def study(tmp_path):
    values = {
        "recipe": "clip-reid",
        "data": ["folder:/x"],
        "test": ["folder:/y"],
        "seeds": [0, 1],
        "runs": {name: {"set": {"stages.image.epochs": n}} for n, name in enumerate("abc", 1)},
    }
    return plan_sweep(Sweep.model_validate(values), beside=tmp_path, out=tmp_path / "out")


def go(study, **options):
    messages = Messages()
    outcomes = run_sweep(
        study, out=study[0].out.parent, source="study.yaml", device="cpu", unreadable="skip",
        progress=messages, **options,
    )  # fmt: skip
    return outcomes, "\n".join(messages.lines)


def record(study):
    return json.loads((study[0].out.parent / "sweep.json").read_text())


def test_every_run_is_asked_for_as_planned(study, training):
    study = [run for run in study if run.label != "c"]
    outcomes, told = go(study)
    assert [request.out for request in training.requests] == [run.out for run in study]
    for request, run in zip(training.requests, study, strict=True):
        assert (request.recipe, request.overrides) == ("clip-reid", run.overrides)
        assert (request.data, request.test) == (("folder:/x",), ("folder:/y",))
        assert (request.seed, request.device, request.unreadable) == (run.seed, "cpu", "skip")
        assert request.resume
        assert not request.overwrite
    assert {one.status for one in outcomes.values()} == {"complete"}
    assert "[4/4] b_seed1: mAP 50.00% rank-1 50.00% in 0:0" in told
    assert record(study)["runs"]["b_seed1"] == {"status": "complete"}


def test_complete_runs_are_not_trained_again(study, training):
    go(study[:3])
    training.requests.clear()
    outcomes, told = go(study)
    assert [request.out for request in training.requests] == [run.out for run in study[3:]]
    assert "[1/6] a_seed0: complete already" in told
    assert {one.status for one in outcomes.values()} == {"complete"}


def test_a_failed_run_is_recorded_and_the_others_go_on(study, training):
    training.faults = {"a_seed1": RunError("No room."), "b_seed0": ValueError("a bug")}
    outcomes, told = go(study)
    assert len(training.requests) == 6
    failed = {name: one.error for name, one in outcomes.items() if one.status == "failed"}
    assert failed == {"a_seed1": "No room.", "b_seed0": "ValueError: a bug"}
    assert "a_seed1 failed: No room." in told
    runs = record(study)["runs"]
    assert "details" not in runs["a_seed1"]
    assert "Traceback" in runs["b_seed0"]["details"]
    assert runs["c_seed1"]["status"] == "complete"


@pytest.mark.parametrize("fault", ["stop", KeyboardInterrupt()])
def test_a_stop_ends_the_sweep_and_the_next_goes_on(study, training, fault):
    training.faults = {"b_seed0": fault}
    with pytest.raises(Interrupted):
        go(study)
    assert len(training.requests) == 3
    runs = record(study)["runs"]
    assert [runs[name]["status"] for name in ("a_seed1", "b_seed0", "b_seed1")] == [
        "complete", "stopped", "waiting",
    ]  # fmt: skip
    training.requests.clear()
    training.faults = {}
    go(study)
    assert [request.out.name for request in training.requests] == [
        "b_seed0", "b_seed1", "c_seed0", "c_seed1",
    ]  # fmt: skip
    again = training.requests[0]
    assert again.resume
    assert again.recipe == (None if fault == "stop" else "clip-reid"), "the folder knows its recipe"


def test_changed_settings_are_told_and_nothing_is_replaced(study, training, tmp_path):
    go(study[:1])
    before = (study[0].out / "recipe.yaml").read_text()
    values = {
        "recipe": "clip-reid",
        "data": ["folder:/x"],
        "test": ["folder:/y"],
        "seeds": [0],
        "runs": {"a": {"set": {"stages.image.epochs": 9}}, "b": {}},
    }
    changed = plan_sweep(Sweep.model_validate(values), beside=tmp_path, out=tmp_path / "out")
    training.requests.clear()
    outcomes, _ = go(changed)
    assert outcomes["a_seed0"].status == "changed"
    assert "stages.image.epochs was 1 and is now 9" in outcomes["a_seed0"].error
    assert [request.out.name for request in training.requests] == ["b_seed0"]
    assert (study[0].out / "recipe.yaml").read_text() == before


def test_only_what_is_chosen(study, training):
    outcomes, told = go(study, chosen=study[2:4])
    assert [request.out.name for request in training.requests] == ["b_seed0", "b_seed1"]
    assert outcomes["a_seed0"].status == "waiting"
    assert "[1/2] b_seed0" in told


def test_places_that_are_no_sweep_folder(study, training, tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(RunError, match="is a file"):
        go(study)
    (tmp_path / "out").unlink()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "recipe.yaml").write_text("")
    with pytest.raises(RunError, match="folder of a run"):
        go(study)
    assert training.requests == []
