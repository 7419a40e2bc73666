"""The examples in the docstrings of what users call first, run as they stand."""

import doctest
import importlib

import pytest

import promptreid
from promptreid.progress import Silent

pytestmark = pytest.mark.slow

SHOWN = {
    "promptreid.actions.model": ["load"],
    "promptreid.data.load_data": ["load_data"],
    "promptreid.evaluation.ranking.scoring": ["evaluate"],
    "promptreid.inference.embedder": ["Embedder.embed"],
    "promptreid.training.run.train": ["train"],
}
"""Functions and methods that have an example, by their module."""


@pytest.fixture(scope="module")
def home(crops, tmp_path_factory):
    """A folder with photos of twelve people and a run on them, as the examples name them."""
    from promptreid.training.run.train import TrainRequest, train

    folder = tmp_path_factory.mktemp("home")
    (folder / "photos").symlink_to(crops)
    tiny, data = ("backbone.name=tiny",), (f"folder:{crops}",)
    train(
        TrainRequest("zero-shot", tiny, data, folder / "runs" / "mine", device="cpu"),
        progress=Silent(),
    )
    return folder


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in SHOWN.items() for name in names]
)
def test_an_example_runs_and_gives_what_it_shows(home, monkeypatch, module, name):
    monkeypatch.chdir(home)
    whole = importlib.import_module(module)
    shown = {**vars(whole), "model": promptreid.load("runs/mine", device="cpu")}
    target = whole
    for part in name.split("."):
        target = getattr(target, part)
    (example,) = doctest.DocTestFinder(recurse=False).find(target, name, whole, globs=shown)
    assert example.examples
    result = doctest.DocTestRunner().run(example)
    assert result.failed == 0
