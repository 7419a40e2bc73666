"""The run folder: made in one step, held by one process, read with every damage said."""

import csv
import shutil
import subprocess
import sys
import threading

import pytest
from run_records import data_of, environment_record, result_of

from promptreid.config.recipes import load_recipe
from promptreid.errors import RunError, WeightsError
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_place import check_free
from promptreid.runs.run_records import StatusRecord

RECIPE = load_recipe("clip-reid")


def create(path, **options):
    return RunFolder.create(
        path, recipe=RECIPE, environment=environment_record(), data=[data_of("csv:x")], **options
    )


def test_create_and_open(tmp_path):
    made = create(tmp_path / "a" / "run")
    run = RunFolder.open(tmp_path / "a" / "run")
    assert run.recipe() == RECIPE
    assert run.environment() == environment_record()
    assert run.data() == (data_of("csv:x"),)
    assert run.status() == StatusRecord(status="started")
    assert run.id == made.id
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["run"]


def test_two_runs_have_two_ids(tmp_path):
    assert create(tmp_path / "a").id != create(tmp_path / "b").id


def test_a_run_is_found_by_its_folder_and_its_checkpoints(tmp_path):
    run = create(tmp_path / "run")
    run.last.touch()
    assert RunFolder.of(run.path).id == RunFolder.of(run.last).id == run.id
    assert RunFolder.checkpoint_of(run.path) == run.last
    run.best.touch()
    assert RunFolder.checkpoint_of(run.path) == run.best
    assert RunFolder.checkpoint_of(run.last) == run.last
    (tmp_path / "lone.safetensors").touch()
    assert RunFolder.of(tmp_path / "lone.safetensors") is None
    assert RunFolder.of(tmp_path) is None
    with pytest.raises(WeightsError, match=r"no checkpoints\. It holds lone\.safetensors, run"):
        RunFolder.checkpoint_of(tmp_path)


def test_folder_that_is_not_empty_is_refused_with_the_ways_out(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("precious")
    with pytest.raises(RunError, match=r"not empty \(it holds thesis\.tex\)"):
        create(tmp_path / "run")
    with pytest.raises(RunError, match="not a run folder"):
        create(tmp_path / "run", overwrite=True)
    assert (tmp_path / "run" / "thesis.tex").read_text() == "precious"


def test_overwrite_replaces_a_run_only_when_told(tmp_path):
    create(tmp_path / "run").write_scores([result_of()])
    with pytest.raises(RunError, match="--resume continues it, --overwrite replaces it"):
        create(tmp_path / "run")
    create(tmp_path / "run", overwrite=True)
    assert not RunFolder.open(tmp_path / "run").has_scores
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


def test_metrics_columns_are_the_union(tmp_path):
    run = create(tmp_path / "run")
    run.write_metrics([{"stage": "a", "loss": 0.1}, {"stage": "b", "loss": 0.2, "loss_id": 1 / 3}])
    with (run.path / "metrics.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert rows[0] == {"stage": "a", "loss": "0.1", "loss_id": ""}
    assert float(rows[1]["loss_id"]) == 1 / 3


HOLD = (
    "import sys, pathlib\n"
    "from promptreid.errors import RunError\n"
    "from promptreid.runs.run_folder import RunFolder\n"
    "run = RunFolder.open(pathlib.Path(sys.argv[1]))\n"
    "try:\n"
    "    with run.locked():\n"
    "        print('entered', flush=True)\n"
    "        sys.stdin.read()\n"
    "except RunError as error:\n"
    "    print(error)\n"
)


def test_two_processes_never_share_a_run(tmp_path):
    run = create(tmp_path / "run")
    command = [sys.executable, "-c", HOLD, str(run.path)]
    with run.locked():
        inside = subprocess.run(command, capture_output=True, text=True, input="", check=True)
    after = subprocess.run(command, capture_output=True, text=True, input="", check=True)
    assert "Another process is training" in inside.stdout
    assert after.stdout.strip() == "entered"


def test_overwrite_leaves_a_run_that_a_process_holds(tmp_path):
    run = create(tmp_path / "run")
    command = [sys.executable, "-c", HOLD, str(run.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"entered\n"
        with pytest.raises(RunError, match="Another process is training"):
            check_free(run.path, overwrite=True)
        with pytest.raises(RunError, match="Another process is training"):
            create(run.path, overwrite=True)
        holder.communicate(b"")
    assert RunFolder.open(run.path).id == run.id
    assert create(run.path, overwrite=True).id != run.id
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_scores_keep_every_digit_and_every_key(tmp_path):
    run = create(tmp_path / "run")
    one = result_of(mAP=0.1 + 0.2, further={"a": [1, None]})
    run.write_scores([one])
    assert run.scores() == (one,)
    run.write_scores([one, result_of(data="csv:y")])
    assert [result["data"] for result in run.scores()] == ["csv:x", "csv:y"]


def test_nothing_is_written_into_a_folder_that_was_deleted(tmp_path):
    run = create(tmp_path / "run")
    shutil.rmtree(run.path)
    with pytest.raises(RunError, match="was deleted or moved"):
        run.write_status(StatusRecord(status="training"))
    with pytest.raises(RunError, match="was deleted or moved"):
        run.check_own()
    assert not run.path.exists()


def test_nothing_is_written_into_a_folder_that_another_run_has_taken(tmp_path):
    run = create(tmp_path / "run")
    shutil.rmtree(run.path)
    other = create(tmp_path / "run")
    for write in (run.check_own, lambda: run.write_scores([result_of()])):
        with pytest.raises(RunError, match=f"Another run \\(id {other.id}\\) has taken the place"):
            write()
    assert not other.has_scores


def test_a_file_may_be_as_it_was_before_the_last_write(tmp_path):
    """A process killed between `run.json` and the file leaves the older content."""
    run = create(tmp_path / "run")
    run.write_status(StatusRecord(status="training"))
    before = (run.path / "status.json").read_bytes()
    run.write_status(StatusRecord(status="complete"))
    (run.path / "status.json").write_bytes(before)
    assert run.status().status == "training"
    run.write_status(StatusRecord(status="stopped"))
    run.write_status(StatusRecord(status="failed"))
    (run.path / "status.json").write_bytes(before)
    with pytest.raises(RunError, match="not as the run wrote it"):
        run.status()


def test_files_may_be_read_while_they_are_written(tmp_path):
    run = create(tmp_path / "run")
    done = threading.Event()

    def write():
        for number in range(60):
            run.write_metrics([{"stage": "a", "epoch": n} for n in range(1, number + 2)])
        done.set()

    writer = threading.Thread(target=write)
    run.write_metrics([{"stage": "a", "epoch": 1}])
    writer.start()
    reads = 0
    while not done.is_set():
        assert RunFolder.open(run.path).training().stages[0].name == "a"
        reads += 1
    writer.join()
    assert reads


def test_names_that_are_no_text_come_back_as_they_were(tmp_path):
    """File names on Linux are bytes; those that are not UTF-8 reach Python as lone surrogates."""
    data = [data_of("csv:/data/caf\udce9.csv", notes=("of caf\udce9",))]
    environment = environment_record(command=("promptreid", "train", "caf\udce9"))
    RunFolder.create(tmp_path / "run", recipe=RECIPE, environment=environment, data=data)
    run = RunFolder.open(tmp_path / "run")
    assert run.data() == tuple(data)
    assert run.environment() == environment


def test_a_training_within_a_run_has_its_id_and_goes_with_it(tmp_path):
    run = create(tmp_path / "run")
    part = run.part("half-1")
    part.write_metrics([{"stage": "a", "epoch": 1}])
    assert (part.id, part.path) == (run.id, run.cache / "half-1")
    run.part("half-1").write_metrics([{"stage": "a", "epoch": 2}])
    shutil.rmtree(run.path)
    with pytest.raises(RunError, match="was deleted"):
        part.write_metrics([])
