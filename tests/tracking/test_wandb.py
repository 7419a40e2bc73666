"""What Weights & Biases is told: through a stand-in for its module, and offline for real."""

import subprocess
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

from promptreid.tracking.wandb import WandbTracker


class FakeRun:
    url = "https://example.org/run"

    def __init__(self):
        self.rows, self.metrics, self.summary, self.exit_code = [], [], {}, None
        self.settings = SimpleNamespace(sync_dir="/runs/offline-run-1")

    def define_metric(self, name, **options):
        self.metrics.append((name, options))

    def log(self, row):
        self.rows.append(row)

    def finish(self, exit_code):
        self.exit_code = exit_code


@pytest.fixture
def fake(monkeypatch):
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    fake = SimpleNamespace(run=FakeRun(), asked=[], logged_in=True)
    module = SimpleNamespace(
        init=lambda **options: fake.asked.append(options) or fake.run,
        login=lambda **options: fake.logged_in,
        Settings=lambda **options: options,
        Image=lambda pixels: ("image", pixels.shape),
    )
    monkeypatch.setitem(sys.modules, "wandb", module)
    return fake


def test_whole_run(fake, info):
    tracker = WandbTracker("team/reid")
    tracked = tracker.start(info, None)
    (asked,) = fake.asked
    assert (asked["entity"], asked["project"], asked["name"]) == ("team", "reid", "run")
    assert asked["dir"] == str(info.folder)
    assert asked["config"]["recipe"]["stages"] == [{"name": "image", "epochs": 2}]
    assert asked["config"]["environment"] == {"seed": 5}
    assert tracked.id == f"reid/{asked['id']}"
    assert tracked.where == fake.run.url
    assert fake.run.metrics == [("epochs", {"hidden": True}), ("*", {"step_metric": "epochs"})]
    tracker.log({"image/loss": 2.0}, 1)
    tracker.image("ranks", np.zeros((4, 6, 3), np.uint8), 1)
    tracker.summary({"scores/mAP": 0.5})
    tracker.finish("complete")
    assert fake.run.rows == [
        {"image/loss": 2.0, "epochs": 1},
        {"ranks": ("image", (4, 6, 3)), "epochs": 1},
    ]
    assert fake.run.summary == {"scores/mAP": 0.5}
    assert fake.run.exit_code == 0


def test_resumed_run_keeps_id_and_project(fake, info, monkeypatch):
    known = WandbTracker("reid").start(info, None).id
    monkeypatch.setenv("WANDB_PROJECT", "another")
    tracker = WandbTracker("")
    assert tracker.start(info, known).id == known
    first, again = fake.asked
    assert (again["project"], again["id"]) == ("reid", first["id"])
    assert again["resume"] == "allow"


def test_new_runs_have_ids_of_their_own(fake, info):
    ids = {WandbTracker("").start(info, None).id for _ in range(3)}
    assert len(ids) == 3
    assert {asked["project"] for asked in fake.asked} == {"promptreid"}


@pytest.mark.parametrize(
    ("environment", "logged_in", "mode"),
    [
        ({}, True, None),
        ({}, False, "offline"),
        ({"WANDB_MODE": "disabled"}, False, None),
        ({"WANDB_API_KEY": "key"}, False, None),
    ],
)
def test_nobody_is_asked_to_log_in(fake, info, monkeypatch, environment, logged_in, mode):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    fake.logged_in = logged_in
    WandbTracker("reid").start(info, None)
    assert fake.asked[0]["mode"] == mode


def test_offline_run_says_how_to_send_it(fake, info):
    fake.run.url = None
    assert WandbTracker("reid").start(info, None).where == "wandb sync /runs/offline-run-1"


@pytest.mark.parametrize(("outcome", "code"), [("failed", 1), ("stopped", 130)])
def test_outcome_becomes_an_exit_code(fake, info, outcome, code):
    tracker = WandbTracker("reid")
    tracker.start(info, None)
    tracker.finish(outcome)
    assert fake.run.exit_code == code


OFFLINE = """
import numpy as np
from pathlib import Path
from promptreid.tracking.tracker import RunInfo
from promptreid.tracking.wandb import WandbTracker

info = RunInfo("run", Path({folder!r}), {{"name": "small"}}, {{}}, ())
known = None
for step in (1, 2):
    tracker = WandbTracker("reid")
    tracked = tracker.start(info, known)
    assert known in (None, tracked.id)
    known = tracked.id
    tracker.log({{"image/loss": 1.0}}, step)
    tracker.image("ranks", np.zeros((4, 6, 3), np.uint8), step)
    tracker.summary({{"scores/mAP": 0.5}})
    tracker.finish("complete")
    print(tracked.where)
print(known)
"""


@pytest.mark.skipif(find_spec("wandb") is None, reason="wandb is not installed: promptreid[wandb]")
def test_offline_for_real(info, tmp_path, monkeypatch):
    """In a process of its own, since the client keeps one going beside the calling program."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("HOME", str(tmp_path))
    script = OFFLINE.format(folder=str(info.folder))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=100, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    first, again, known = done.stdout.split("\n")[:3]
    key = known.partition("/")[2]
    for line in (first, again):
        assert line.startswith(f"wandb sync {info.folder}")
        assert line.endswith(f"-{key}")
    written = list(info.folder.glob(f"wandb/offline-run-*-{key}/run-{key}.wandb"))
    assert written
    assert all(path.stat().st_size > 0 for path in written)
