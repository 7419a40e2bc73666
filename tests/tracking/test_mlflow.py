"""What MLflow is told: through a stand-in for its client, and into a database file for real."""

import sys
from dataclasses import replace
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

from promptreid.tracking.mlflow import MlflowTracker, split_place


class FakeClient:
    def __init__(self, address):
        self.address, self.calls, self.experiments = address, [], {}

    def get_experiment_by_name(self, name):
        found = self.experiments.get(name)
        return found and SimpleNamespace(experiment_id=found)

    def create_experiment(self, name):
        return self.experiments.setdefault(name, f"e-{name}")

    def create_run(self, experiment, run_name):
        self.calls.append(("create_run", experiment, run_name))
        return SimpleNamespace(info=SimpleNamespace(run_id="r1"))

    def get_run(self, run):
        return SimpleNamespace(info=SimpleNamespace(experiment_id="e1"))

    def update_run(self, run, status):
        self.calls.append(("update_run", run, status))

    def log_batch(self, run, *, metrics=(), params=()):
        self.calls.append(("log_batch", run, list(metrics), list(params)))

    def log_artifact(self, run, path):
        self.calls.append(("log_artifact", run, path.rpartition("/")[2]))

    def log_image(self, run, pixels, file):
        self.calls.append(("log_image", run, pixels.shape, file))

    def set_terminated(self, run, status):
        self.calls.append(("set_terminated", run, status))

    def of(self, name):
        return [call[2:] for call in self.calls if call[0] == name]


@pytest.fixture
def clients(monkeypatch):
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    made = []

    def client(address):
        made.append(FakeClient(address))
        return made[-1]

    entities = SimpleNamespace(
        Param=lambda key, value: (key, value),
        Metric=lambda key, value, timestamp, step: (key, value, step),
    )
    module = SimpleNamespace(MlflowClient=client, entities=entities)
    monkeypatch.setitem(sys.modules, "mlflow", module)
    return made


def test_places():
    assert split_place("") == (None, "")
    assert split_place("hands") == (None, "hands")
    assert split_place("http://host:5000") == ("http://host:5000", "")
    assert split_place("sqlite:////a/b.db#hands") == ("sqlite:////a/b.db", "hands")
    assert split_place("databricks") == ("databricks", "")


def test_whole_run(clients, info):
    tracker = MlflowTracker("http://host:5000#hands")
    tracked = tracker.start(info, None)
    (client,) = clients
    assert client.address == "http://host:5000"
    assert tracked.id == "r1"
    assert "http://host:5000" in tracked.where
    assert client.calls[0] == ("create_run", "e-hands", "run")
    params = dict(pair for _, batch in client.of("log_batch") for pair in batch)
    assert params["stages.image.epochs"] == "2"
    assert len(params["note"]) == 500
    assert client.of("log_artifact") == [("recipe.yaml",), ("environment.json",), ("data.json",)]
    tracker.log({"image/loss": 2.0, "image/domain_a:b": 1.0}, 3)
    assert client.of("log_batch")[-1][0] == [("image/loss", 2.0, 3), ("image/domain_a_b", 1.0, 3)]
    tracker.image("ranks/worst", np.zeros((4, 6, 3), np.uint8), 3)
    assert client.of("log_image") == [((4, 6, 3), "images/ranks/worst/00003.png")]
    tracker.summary({"scores/mAP": 0.5})
    assert client.of("log_batch")[-1][0] == [("scores/mAP", 0.5, 3)]
    tracker.finish("complete")
    assert client.of("set_terminated") == [("FINISHED",)]


def test_resumed_run_is_continued(clients, info):
    tracker = MlflowTracker("")
    assert tracker.start(replace(info, step=4), "r9").id == "r9"
    (client,) = clients
    assert client.address is None
    assert client.calls == [("update_run", "r9", "RUNNING")]
    tracker.summary({"scores/mAP": 0.5})
    assert client.calls[-1] == ("log_batch", "r9", [("scores/mAP", 0.5, 4)], [])
    tracker.finish("stopped")
    assert client.of("set_terminated") == [("KILLED",)]


def test_experiment_of_the_environment(clients, info, monkeypatch):
    MlflowTracker("").start(info, None)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "cars")
    MlflowTracker("").start(info, None)
    assert [client.calls[0][1] for client in clients] == ["e-promptreid", "e-cars"]


def test_many_numbers_go_in_batches(clients, info):
    many = {f"k{number}": number for number in range(250)}
    tracker = MlflowTracker("")
    tracker.start(replace(info, recipe=many), None)
    sizes = [len(params) for _, params in clients[0].of("log_batch")]
    assert sizes == [100, 100, 50]
    tracker.log({f"k{number}": 0.0 for number in range(1001)}, 1)
    assert [len(metrics) for metrics, _ in clients[0].of("log_batch")[3:]] == [1000, 1]


def _database() -> bool:
    return all(find_spec(name) is not None for name in ("mlflow", "sqlalchemy", "alembic"))


@pytest.mark.skipif(not _database(), reason="mlflow is not installed: promptreid[mlflow]")
def test_database_for_real(info, tmp_path, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    address = f"sqlite:///{tmp_path / 'runs.db'}"
    first = MlflowTracker(f"{address}#hands")
    known = first.start(info, None).id
    first.log({"image/loss": 2.0, "image/domain_a:b": 1.0}, 1)
    first.finish("stopped")
    again = MlflowTracker(f"{address}#hands")
    assert again.start(replace(info, step=1), known).id == known
    again.log({"image/loss": 1.0}, 2)
    again.image("ranks", np.zeros((4, 6, 3), np.uint8), 2)
    again.summary({"scores/mAP": 0.5})
    again.finish("complete")
    client = MlflowClient(address)
    run = client.get_run(known)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "run"
    assert run.data.params["stages.image.epochs"] == "2"
    assert run.data.metrics["scores/mAP"] == 0.5
    history = client.get_metric_history(known, "image/loss")
    assert [(metric.step, metric.value) for metric in history] == [(1, 2.0), (2, 1.0)]
    names = {file.path for file in client.list_artifacts(known)}
    assert names == {"recipe.yaml", "environment.json", "data.json", "images"}
