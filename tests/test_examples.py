"""The examples in the docstrings of what users call, and the notebooks, run as they stand."""

import ast
import doctest
import importlib
import json
from pathlib import Path

import pytest

import promptreid
from promptreid.progress import Silent

pytestmark = pytest.mark.slow

SHOWN = {
    "promptreid.actions.compare_scores": ["compare"],
    "promptreid.actions.datasets.data_listing": ["list_data"],
    "promptreid.actions.datasets.disk_cache": ["data_cache"],
    "promptreid.actions.draw_figure": ["figure"],
    "promptreid.actions.embed_data": ["embed"],
    "promptreid.actions.enrol_data": ["enrol"],
    "promptreid.actions.evaluate_models": ["evaluate"],
    "promptreid.actions.gallery_models": ["create_gallery"],
    "promptreid.actions.datasets.loaded_data": [
        "LoadedData.export",
        "LoadedData.inspect",
        "LoadedData.show",
        "load_data",
    ],
    "promptreid.actions.model": ["Model.index", "Model.same", "load"],
    "promptreid.actions.recipe_listing": ["RecipeList.copy", "RecipeList.show", "recipes"],
    "promptreid.actions.datasets.render_data": ["synth_data"],
    "promptreid.actions.searches.picture_index": ["search"],
    "promptreid.actions.train_recipe": ["estimate", "train"],
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
    run = train(
        TrainRequest("zero-shot", tiny, data, folder / "runs" / "mine", device="cpu"),
        progress=Silent(),
    )
    promptreid.threshold(run.path, *data, far=0.1, device="cpu", progress=Silent())
    return folder


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in SHOWN.items() for name in names]
)
def test_an_example_runs_and_gives_what_it_shows(home, monkeypatch, module, name):
    monkeypatch.chdir(home)
    whole = importlib.import_module(module)
    model = promptreid.load("runs/mine", device="cpu")
    shown = {**vars(whole), "model": model, "promptreid": promptreid}
    target = whole
    for part in name.split("."):
        target = getattr(target, part)
    (example,) = doctest.DocTestFinder(recurse=False).find(target, name, whole, globs=shown)
    assert example.examples
    result = doctest.DocTestRunner().run(example)
    assert result.failed == 0


ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
SHORT = {
    "validation.kind": "none",
    "stages.prompts.epochs": 1,
    "stages.image.epochs": 1,
    "stages.image.batch": {"identities": 2, "images": 2},
    "stages.image.augment.pad": 2,
}
"""Settings with which a training is over in a second."""


def cells(notebook):
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


def execute(cell, names):
    """Run a cell of code; return the value of its last line, if that is one."""
    tree = ast.parse("".join(cell["source"]))
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return (
        None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    )


def show(value):
    """Show a value as a notebook does; return the kinds in which it is shown."""
    shown = {kind for kind in ("png", "html") if getattr(value, f"_repr_{kind}_", lambda: None)()}
    return shown | ({"text"} if len(repr(value)) < 5000 else {"too much"})


def test_there_is_a_notebook_for_every_subject():
    assert {path.stem for path in NOTEBOOKS} == {"animals", "hands", "people", "vehicles"}


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_data_to_a_search(notebook, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("promptreid.figures.saving.SHOWN_DPI", 20)
    names, shown = {"__name__": "__main__"}, []
    for cell in cells(notebook):
        if cell["cell_type"] != "code":
            continue
        assert not cell["outputs"]
        value = execute(cell, names)
        if "parameters" in cell["metadata"].get("tags", ()):
            assert {"WORK", "DATA", "IDENTITIES", "SIZE", "DEVICE", "SETTINGS"} <= names.keys()
            names |= {"IDENTITIES": 6, "SIZE": [32, 32], "DEVICE": "cpu", "SETTINGS": SHORT}
        if value is not None:
            shown.append(show(value))
    pictures = [kinds for kinds in shown if "png" in kinds]
    assert len(pictures) == 5
    assert not any("too much" in kinds for kinds in shown)
    assert promptreid.load(names["WORK"] / "model.safetensors", device="cpu").threshold
    assert "same identity from cosine" in capsys.readouterr().out


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_says_what_to_change_for_own_pictures(notebook):
    last = "".join(cells(notebook)[-1]["source"])
    assert "Your own pictures" in last
    assert "DATA = " in last
