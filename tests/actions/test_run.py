"""A run as people look at it."""

import json
import os
from pathlib import Path

import pytest
from facts import lacking

import promptreid
from promptreid.errors import ConfigError, EvaluationError, GalleryError, RunError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(photos, quick, tmp_path_factory):
    """A short training, by the words of the command."""
    out = tmp_path_factory.mktemp("trained") / "run"
    return promptreid.train(
        "clip-reid", promptreid.load_data(photos), overrides=quick, out=out, seed=3, device="cpu",
        before=False, note="a short one", progress=promptreid.Silent(),
    )  # fmt: skip


def test_a_run_says_what_it_is(run, trained, photos):
    assert not lacking(repr(run), "Run(", str(run.path), "zero-shot", photos, "complete", "mAP")
    page = trained._repr_html_()
    assert not lacking(page, str(trained.path), "clip-reid", "complete", "rank-1", "a short one")
    assert trained.state == "complete"
    assert trained.note == "a short one"
    assert trained.recipe.stages[0].epochs == 2


def test_a_run_notes_the_call_that_made_it(trained, photos):
    environment = json.loads((trained.path / "environment.json").read_text())
    (call,) = environment["command"]
    assert call.startswith(f"promptreid.train('clip-reid', '{photos}', overrides=")
    assert f"out='{trained.path}'" in call
    assert not lacking(call, "seed=3", "device='cpu'", "before=False")
    assert not {"progress", "resume", "pytest"} & {word.partition("=")[0] for word in call.split()}


def test_a_note_is_set_and_taken_away(trained):
    trained.note = "another  one"
    assert promptreid.Run(trained.path).note == "another one"
    trained.note = ""
    assert promptreid.Run(trained.path).note == ""
    trained.note = "a short one"


def test_scores_and_history_are_those_of_the_files(trained):
    content = json.loads((trained.path / "scores.json").read_text())
    assert trained.scores["mAP"] == content["mAP"]
    assert trained.scores["rank1"] == content["cmc"]["1"]
    assert trained.results[0] == content
    assert [(row["stage"], row["epoch"]) for row in trained.history] == [
        ("prompts", 1), ("prompts", 2), ("image", 1), ("image", 2),
    ]  # fmt: skip
    assert all(row["loss"] > 0 for row in trained.history)


def test_a_run_stands_wherever_a_path_does(run):
    assert Path(run) == run.path
    assert os.fspath(run) == str(run.path)
    assert promptreid.Run(run).path == run.path


def test_a_run_of_the_command_is_the_same_run(photos, quick, trained, tmp_path, capsys):
    from promptreid.cli.main import main

    out = tmp_path / "typed"
    arguments = ["train", "clip-reid", *quick, "--data", photos, "--out", str(out), "--seed", "3"]
    with pytest.raises(SystemExit) as done:
        main([*arguments, "--no-before", "--note", "a short one", "--device", "cpu"])
    assert done.value.code == 0, capsys.readouterr().err
    typed = promptreid.Run(out)
    assert (typed.recipe, typed.note, typed.results) == (
        trained.recipe, trained.note, trained.results,
    )  # fmt: skip
    losses = [[row["loss"] for row in one.history] for one in (typed, trained)]
    assert losses[0] == losses[1]
    again = promptreid.train(out=out, resume=True, device="cpu", progress=promptreid.Silent())
    assert again.scores == trained.scores


def test_runs_are_compared_and_written(run, trained, tmp_path):
    compared = trained.compare(run, metrics=["mAP", "rank1"])
    assert not lacking(str(compared), "mAP", "run", "mine")
    assert repr(compared) == str(compared)
    assert not lacking(compared._repr_html_(), "<table>", "mAP", "mine")
    assert "mAP" in compared.write(tmp_path / "table.md").read_text()
    assert [row.scores["mAP"].mean for row in compared.table.rows] == [
        trained.scores["mAP"], run.scores["mAP"],
    ]  # fmt: skip


def test_a_run_is_scored_as_the_command_scores_it(run, photos, capsys):
    found = run.evaluate(device="cpu", verification=True, progress=promptreid.Silent())
    assert found.scores["mAP"] == pytest.approx(run.scores["mAP"])
    assert not lacking(found.text, photos, "mAP")
    assert found.results[0]["verification"]
    loaded = promptreid.evaluate(
        run.model("cpu"), data=photos, flip=True, progress=promptreid.Silent()
    )
    assert loaded.results[0]["data"] == photos
    assert capsys.readouterr().out == ""


def test_figures_are_drawn_of_a_run(trained, run):
    silent = promptreid.Silent()
    assert trained.figure().figure.axes
    drawn = run.figure("ranks", queries=1, top=3, device="cpu", progress=silent)
    assert "Rank lists of 1 queries" in drawn.alt


def test_the_threshold_of_a_run_is_that_of_its_model(run, model):
    assert run.threshold == model.threshold
    assert not lacking(str(run.threshold), f"{run.threshold.threshold:.4f}", "1 in 100", "12")


@pytest.mark.parametrize(
    ("call", "error", "facts"),
    [
        (lambda run: promptreid.Run("gone"), RunError, ["gone"]),
        (lambda run: promptreid.compare(), ConfigError, ["compare("]),
        (lambda run: run.compare("gone"), RunError, ["gone"]),
        (lambda run: run.compare(seeds="mixed"), ConfigError, ["mixed", "together"]),
        (lambda run: run.compare(metrics=["mop"]), EvaluationError, ["mop"]),
        (lambda run: run.figure("rank"), ConfigError, ["rank", "ranks"]),
        (lambda run: run.figure("cmc", top=3, device="cpu"), ConfigError, ["cmc", "top"]),
        (lambda run: run.figure("tsne", method="pca"), ConfigError, ["tsne", "method"]),
        (lambda run: run.compare(metrics="mop"), EvaluationError, ["'mop'"]),
        (lambda run: run.report(by="shoe"), EvaluationError, ["'shoe'"]),
        (lambda run: promptreid.train("clip-reid/tiny", run.data, track="none-such"), ConfigError,
         ["'none-such'"]),
        (lambda run: promptreid.threshold(run, [*run.data, *run.data]), ConfigError,
         ["one data set", "2"]),
        (lambda run: run.evaluate(rernak=True), ConfigError, ["rernak", "rerank"]),
        (lambda run: promptreid.evaluate("folder:x"), RunError, ["folder:x", "data="]),
        (lambda run: promptreid.evaluate(promptreid.load_data(run.data[0])), ConfigError,
         ["LoadedData", "data="]),
        (lambda run: promptreid.compare(run, 3), ConfigError, ["run", "path", "int"]),
        (lambda run: promptreid.load(None), ConfigError, ["path", "NoneType"]),
        (lambda run: promptreid.train(3, run.data), ConfigError, ["recipe", "int", "train("]),
        (lambda run: promptreid.Gallery.create("g", "r"), GalleryError, ["load('r'"]),
        (lambda run: promptreid.load_data(run.data[0]).show(identities=0), ConfigError, ["=0"]),
        (lambda run: promptreid.evaluate(), ConfigError, ["run or checkpoint"]),
        (lambda run: run.evaluate(paired=True), ConfigError, ["--paired", "two runs"]),
        (lambda run: run.report(data="marekt1501:/x"), ConfigError, ["market1501"]),
    ],
)  # fmt: skip
def test_mistakes_are_sentences(run, call, error, facts):
    with pytest.raises(error) as caught:
        call(run)
    assert not lacking(str(caught.value), *facts)
