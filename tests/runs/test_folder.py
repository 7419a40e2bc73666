import csv
import json
import subprocess
import sys

import pytest

from promptreid.config.recipes import load_recipe
from promptreid.errors import RunError
from promptreid.runs.folder import RunFolder

RECIPE = load_recipe("clip-reid")


def create(path, **options):
    return RunFolder.create(path, recipe=RECIPE, environment={"seed": 0}, data=[], **options)


def test_create_and_open(tmp_path):
    create(tmp_path / "a" / "run")
    run = RunFolder.open(tmp_path / "a" / "run")
    assert run.recipe() == RECIPE
    assert run.read("environment.json") == {"seed": 0}
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["run"]


def test_folder_that_is_not_empty_is_refused_with_the_ways_out(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("precious")
    with pytest.raises(RunError, match=r"not empty \(it holds thesis\.tex\)"):
        create(tmp_path / "run")
    with pytest.raises(RunError, match="not a run folder"):
        create(tmp_path / "run", overwrite=True)
    assert (tmp_path / "run" / "thesis.tex").read_text() == "precious"


def test_overwrite_replaces_a_run_only_when_told(tmp_path):
    create(tmp_path / "run").write("scores.json", {"mAP": 1})
    with pytest.raises(RunError, match="--resume continues it, --overwrite replaces it"):
        create(tmp_path / "run")
    create(tmp_path / "run", overwrite=True)
    assert not (tmp_path / "run" / "scores.json").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_empty_folder_is_used(tmp_path):
    (tmp_path / "run").mkdir()
    create(tmp_path / "run")
    assert RunFolder.open(tmp_path / "run").recipe() == RECIPE


def test_out_is_a_file(tmp_path):
    (tmp_path / "run").write_text("x")
    with pytest.raises(RunError, match="is a file"):
        create(tmp_path / "run")


def test_open_something_else(tmp_path):
    with pytest.raises(RunError, match="no run folder"):
        RunFolder.open(tmp_path / "nothing")
    with pytest.raises(RunError, match=r"has no recipe\.yaml; it holds nothing"):
        RunFolder.open(tmp_path)


def test_unreadable_json(tmp_path):
    run = create(tmp_path / "run")
    (run.path / "status.json").write_text("{")
    with pytest.raises(RunError, match=r"status\.json cannot be read"):
        run.read("status.json")


def test_metrics_columns_are_the_union(tmp_path):
    run = create(tmp_path / "run")
    run.write_metrics([{"stage": "a", "loss": 0.1}, {"stage": "b", "loss": 0.2, "loss_id": 1 / 3}])
    with (run.path / "metrics.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert rows[0] == {"stage": "a", "loss": "0.1", "loss_id": ""}
    assert float(rows[1]["loss_id"]) == 1 / 3


def test_two_processes_never_share_a_run(tmp_path):
    run = create(tmp_path / "run")
    code = (
        "import sys, pathlib\n"
        "from promptreid.errors import RunError\n"
        "from promptreid.runs.folder import RunFolder\n"
        "run = RunFolder.open(pathlib.Path(sys.argv[1]))\n"
        "try:\n"
        "    with run.locked():\n"
        "        print('entered')\n"
        "except RunError as error:\n"
        "    print(error)\n"
    )
    command = [sys.executable, "-c", code, str(run.path)]
    with run.locked():
        inside = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    after = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Another process is training" in inside
    assert after.strip() == "entered"


def test_files_are_json(tmp_path):
    run = create(tmp_path / "run")
    run.write("scores.json", {"mAP": 0.1 + 0.2})
    assert json.loads((run.path / "scores.json").read_text())["mAP"] == 0.1 + 0.2
