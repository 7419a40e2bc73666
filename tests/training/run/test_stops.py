"""Runs that are stopped, fail, or lose their folder: what they leave, and what is said."""

import os
import shutil
import signal

import pytest
from facts import lacking

from promptreid.cli.main import main
from promptreid.errors import RunError
from promptreid.models.checkpoint import read_info
from promptreid.models.towers.product_choice import TORCH, current_choice
from promptreid.processor import Processor
from promptreid.progress import Silent
from promptreid.runs import environment
from promptreid.runs.run_folder import RunFolder
from promptreid.training.run import run_plan, run_start
from promptreid.training.run import train as module
from promptreid.training.run.train import TrainRequest, train
from promptreid.training.stage import stop_signals, trainer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def request_(crops, quick, tmp_path_factory):
    """A run of three epochs, not scored before training."""
    return TrainRequest(
        recipe="clip-reid",
        overrides=[*quick, "stages.prompts.epochs=1", "hardware.precision=fp32"],
        data=[f"folder:{crops}"],
        out=tmp_path_factory.mktemp("runs") / "run",
        device="cpu",
        before=False,
    )


@pytest.fixture(scope="module")
def whole(request_):
    return train(request_, progress=Silent())


@pytest.fixture
def command(request_, tmp_path):
    """The same run as a command line, with another folder."""
    return [
        "train", request_.recipe, *request_.overrides, "--data", request_.data[0],
        "--out", str(tmp_path / "run"), "--device", "cpu", "--no-before",
    ]  # fmt: skip


def run_command(arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return caught.value.code


@pytest.mark.parametrize(
    ("place", "request_to_end"),
    [("score_run", "SIGTERM"), ("keep_threshold", "SIGHUP"), ("load_model", "SIGTERM")],
)
def test_a_termination_request_outside_training_is_a_clean_stop(
    command, tmp_path, monkeypatch, capsys, place, request_to_end
):
    number = getattr(signal, request_to_end, signal.SIGTERM)  # Windows has no SIGHUP
    real, landed = getattr(module, place), []

    def killed(*arguments, **options):
        landed.append(place)
        os.kill(os.getpid(), number)
        return real(*arguments, **options)

    before = signal.getsignal(number)
    with monkeypatch.context() as patched:
        patched.setattr(module, place, killed)
        assert run_command(command) == 130
    assert landed == [place]
    assert signal.getsignal(number) is before
    assert "Traceback" not in capsys.readouterr().err
    run = RunFolder.open(tmp_path / "run")
    assert run.status().status == "stopped"
    assert train(TrainRequest(out=run.path, resume=True, device="cpu"), progress=Silent())
    assert run.status().complete


def test_a_failure_stands_in_the_status(request_, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise RunError("The moon is full.")

    monkeypatch.setattr(module, "score_run", fail)
    request = TrainRequest(**{**vars(request_), "out": tmp_path / "run"})
    with pytest.raises(RunError, match="moon"):
        train(request, progress=Silent())
    status = RunFolder.open(tmp_path / "run").status()
    assert (status.status, status.error) == ("failed", "The moon is full.")


def replaced(run, request_):
    shutil.rmtree(run.path)
    shutil.copytree(request_.out, run.path)


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_run_whose_folder_is_gone_stops_and_writes_nothing(
    command, request_, whole, tmp_path, monkeypatch, capsys, how
):
    real = trainer.Trainer._save_last

    def lose(self):
        if how == "deleted":
            shutil.rmtree(self.run.path)
        else:
            replaced(self.run, request_)
        real(self)

    monkeypatch.setattr(trainer.Trainer, "_save_last", lose)
    assert run_command(command) == 2
    said = " ".join(capsys.readouterr().err.split())
    if how == "deleted":
        assert "was deleted or moved" in said
        assert not (tmp_path / "run").exists()
    else:
        assert f"Another run (id {whole.id}) has taken the place" in said
        assert RunFolder.open(tmp_path / "run").status().complete


@pytest.mark.parametrize("name", ["status.json", "metrics.csv", "scores.json"])
def test_a_file_that_was_removed_is_written_again(whole, tmp_path, name):
    run = RunFolder(shutil.copytree(whole.path, tmp_path / "run"))
    before = (run.path / name).read_text()
    (run.path / name).unlink()
    train(TrainRequest(out=run.path, resume=True, device="cpu"), progress=Silent())
    assert (run.path / name).read_text() == before
    assert run.status() == whole.status()
    assert run.scores() == whole.scores()


def test_the_checkpoint_of_another_run_is_refused(whole, request_, tmp_path, monkeypatch):
    other = train(
        TrainRequest(**{**vars(request_), "out": tmp_path / "other", "seed": 5}), progress=Silent()
    )
    run = RunFolder(shutil.copytree(whole.path, tmp_path / "run"))
    (run.path / "status.json").unlink()
    shutil.copy(other.last, run.last)
    with pytest.raises(RunError, match=f"belongs to another run \\(id {other.id}"):
        train(TrainRequest(out=run.path, resume=True, device="cpu"), progress=Silent())


def test_an_edited_recipe_is_refused(whole, tmp_path):
    run = RunFolder(shutil.copytree(whole.path, tmp_path / "run"))
    recipe = run.path / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("margin: 0.3", "margin: 0.9"))
    with pytest.raises(RunError, match="it was edited, or is another run's"):
        train(TrainRequest(out=run.path, resume=True, device="cpu"), progress=Silent())


def test_a_run_keeps_its_products_on_another_processor(request_, tmp_path, monkeypatch):
    elsewhere = Processor("x86_64", vendor="GenuineIntel", name="Intel(R) Xeon(R) of elsewhere")
    out, real, seen = tmp_path / "run", trainer.Trainer._after_epoch, []

    def stop(self, row):
        real(self, row)
        seen.append(current_choice())
        if len(seen) == 1:
            self._stop.set()

    monkeypatch.setattr(trainer.Trainer, "_after_epoch", stop)
    with monkeypatch.context() as there:
        for module in (run_plan, run_start, environment):
            there.setattr(module, "describe_processor", lambda: elsewhere)
        with pytest.raises(stop_signals.Interrupted):
            train(TrainRequest(**{**vars(request_), "out": out}), progress=Silent())
    run = train(TrainRequest(out=out, resume=True, device="cpu"), progress=Silent())
    assert len(seen) == 3
    assert set(seen) == {TORCH}  # on a processor of Intel, and kept on this one
    assert run.environment().products == TORCH
    assert read_info(run.best).products == read_info(run.last).products == TORCH
    told = next(line for line in run.log.read_text().splitlines() if elsewhere.name in line)
    assert not lacking(told, elsewhere.name, "torch forward", "last bits")


def test_another_number_of_threads_is_refused_unless_accepted(request_, tmp_path, monkeypatch):
    out = tmp_path / "run"
    real = trainer.Trainer._after_epoch

    def stop(self, row):
        real(self, row)
        self._stop.set()

    with monkeypatch.context() as patched:
        patched.setattr(trainer.Trainer, "_after_epoch", stop)
        with pytest.raises(stop_signals.Interrupted):
            train(TrainRequest(**{**vars(request_), "out": out}), progress=Silent())
    assert RunFolder(out).last.is_file()
    monkeypatch.undo()
    monkeypatch.setattr("torch.get_num_threads", lambda: 7)
    again = TrainRequest(out=out, resume=True, device="cpu")
    with pytest.raises(RunError, match=r"and now there are 7\. .* OMP_NUM_THREADS=.*--any-threads"):
        train(again, progress=Silent())
    accepted = TrainRequest(out=out, resume=True, device="cpu", any_threads=True)
    assert train(accepted, progress=Silent()).status().complete
