"""Learning curves, from the table of epochs to lines."""

import csv
from pathlib import Path

import numpy as np
import pytest
from run_records import make_run

from promptreid.errors import RunError
from promptreid.figures.curves import curves_alt, curves_figure, draw_curves
from promptreid.figures.style import LIGHT
from promptreid.runs.metrics_table import parse_metrics
from promptreid.runs.run_records import BestRecord, StatusRecord

TABLE = """\
stage,epoch,lr,loss,loss_a,loss_b,val_mAP,val_rank1
prompts,1,0.1,8,8,,,
prompts,2,0.05,4,4,,,
image,1,0.01,900,9,400,0.25,0.5
image,2,0.005,30,3,20,,
image,3,0.001,10,1,10,0.5,0.75
"""


@pytest.fixture
def run(tmp_path):
    def write(name="one", table=TABLE, best="stage image, epoch 3"):
        folder = make_run(tmp_path / name)
        folder.write_metrics(list(csv.DictReader(table.splitlines())))
        chosen = BestRecord(score=0.5, chosen_at=best)
        folder.write_status(StatusRecord(status="complete", best=chosen))
        return folder

    return write


def lines(axes):
    """Data of the lines of a panel by label."""
    return {line.get_label(): line.get_xydata().tolist() for line in axes.lines}


def test_the_table_is_read_by_stage_without_empty_columns(run):
    found = run().training()
    assert [stage.name for stage in found.stages] == ["prompts", "image"]
    prompts, image = found.stages
    assert prompts.terms == ("loss_a",)
    assert prompts.validations == ()
    assert image.validations == ("val_mAP", "val_rank1")
    assert image.known("val_mAP") == ((1, 3), (0.25, 0.5))
    assert image.known("nothing") == ((), ())
    assert found.chosen == ("image", 3)


def test_one_run_shows_every_term_and_score(run):
    figure = curves_figure({"one": run().training()})
    grid = np.array(figure.axes).reshape(3, 2)
    assert [axes.get_title() for axes in grid[0]] == ["stage prompts", "stage image"]
    assert lines(grid[0, 0]) == {"loss": [[1, 8], [2, 4]]}  # its only term is the same
    assert lines(grid[0, 1]) == {
        "a": [[1, 9], [2, 3], [3, 1]],
        "b": [[1, 400], [2, 20], [3, 10]],
        "sum, weighted": [[1, 900], [2, 30], [3, 10]],
    }
    assert (grid[0, 0].get_yscale(), grid[0, 1].get_yscale()) == ("linear", "log")
    assert [text.get_text() for text in grid[1, 0].texts] == ["not validated"]
    assert lines(grid[1, 1]) == {
        "mAP": [[1, 25], [3, 50]],
        "rank1": [[1, 50], [3, 75]],
        "kept": [[3, 50]],
    }
    assert lines(grid[2, 1]) == {"one": [[1, 0.01], [2, 0.005], [3, 0.001]]}


def test_several_runs_share_panels_and_keep_their_look_where_stages_differ(run):
    image_only = "\n".join([TABLE.splitlines()[0], *TABLE.splitlines()[3:]])
    runs = {"second": run("b", image_only).training(), "first": run("a").training()}
    figure = curves_figure(runs, theme=LIGHT)
    grid = np.array(figure.axes).reshape(3, 2)
    assert [axes.get_title() for axes in grid[0]] == ["stage prompts", "stage image"]
    (alone,) = grid[0, 0].lines
    shared = {line.get_label(): line for line in grid[0, 1].lines}
    assert set(shared) == {"first", "second"}
    assert alone.get_color() == shared["first"].get_color() != shared["second"].get_color()
    assert shared["first"].get_linestyle() != shared["second"].get_linestyle()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["second", "first", "kept"]


def test_a_run_without_validation_has_no_row_for_it(run):
    table = "stage,epoch,lr,loss\nimage,1,0.1,2\n"
    figure = curves_figure({"one": run(table=table, best="").training()})
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "learning rate"]
    assert figure.axes[0].lines[0].get_marker() == "o"  # a single epoch is still seen


def test_words(run):
    words = curves_alt({"one": run().training()})
    assert "one: stage prompts, 2 epochs, loss from 8 to 4;" in words
    assert "loss from 900 to 10, mAP from 25 to 50 %; kept are the weights of stage image" in words


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("stage,epoch,loss\n", "holds no epochs"),
        ("a,b\n1,2\n", "holds no epochs"),
        ("stage,epoch,loss\nimage,1,many\n", "'many' is not a number"),
    ],
)
def test_damaged_tables_are_named(table, words):
    with pytest.raises(RunError, match=words):
        parse_metrics(table.encode(), Path("metrics.csv"))


def test_runs_without_a_table_are_named(tmp_path):
    with pytest.raises(RunError, match="nothing was trained there"):
        draw_curves({"zero": tmp_path})
    (tmp_path / "model.safetensors").write_text("")
    with pytest.raises(RunError, match="is a file"):
        draw_curves({"file": tmp_path / "model.safetensors"})
