"""A sweep says what it does while it imports what trains, which takes seconds the first time."""

import contextlib
import sys

from promptreid.actions import train_sweep
from promptreid.progress import Silent

NAME = "promptreid.sweeps.run_sweep"


class Telling(Silent):
    """Knows what is being done."""

    now = ""

    @contextlib.contextmanager
    def doing(self, text):
        self.now = text
        yield
        self.now = ""


class Finder:
    """Notes down what is told when the module that trains is looked for."""

    def __init__(self, progress):
        self.progress, self.told = progress, []

    def find_spec(self, name, path=None, target=None):
        if name == NAME:
            self.told.append(self.progress.now)


def test_importing_is_told(tmp_path, monkeypatch):
    progress = Telling()
    finder = Finder(progress)
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    monkeypatch.setattr(sys.modules["promptreid.sweeps"], "run_sweep", None, raising=False)
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    train_sweep._train((), (), tmp_path, "study.yaml", "cpu", "stop", progress)
    assert finder.told == ["loading PyTorch"]
