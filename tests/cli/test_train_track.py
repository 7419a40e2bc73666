"""`promptreid train --track`: what is told before anything is trained."""

import json
import subprocess
import sys

import pytest

from promptreid.cli.main import main


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


@pytest.mark.parametrize(
    ("track", "words"),
    [
        (["wanb"], "Did you mean 'wandb'"),
        (["wandb:"], "names no place"),
        (["none", "mlflow"], "means no tracker"),
        (["mlflow"], "pip install 'promptreid[mlflow]'"),
    ],
)
def test_wrong_trackers_are_refused(capsys, monkeypatch, crops, tmp_path, track, words):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    out = tmp_path / "run"
    options = [part for text in track for part in ("--track", text)]
    code, _, err = run(
        capsys, "train", "clip-reid", "--data", f"folder:{crops}", "--out", out, *options
    )
    assert code == 2
    assert words in err
    assert "Traceback" not in err
    assert not out.exists()


@pytest.mark.slow
def test_tracked_from_the_command_line(capsys, crops, quick, tmp_path):
    pytest.importorskip(
        "tensorboard", reason="tensorboard is not installed: promptreid[tensorboard]"
    )
    tiny = [override for override in quick if override.startswith("backbone.")]
    out, logs = tmp_path / "run", tmp_path / "logs"
    code, _, err = run(
        capsys, "train", "zero-shot", *tiny, "--data", f"folder:{crops}", "--out", out,
        "--device", "cpu", "--track", "tensorboard", "--track", f"tensorboard:{logs}",
    )  # fmt: skip
    assert code == 0, err
    assert f"tracking with tensorboard: `tensorboard --logdir {out / 'tensorboard'}`" in err
    kept = json.loads((out / "tracking.json").read_text())["trackers"]
    ids = [record["id"] for record in kept]
    assert ids == ["tensorboard", str(logs / "run")]
    for folder in (out / "tensorboard", logs / "run"):
        assert list(folder.glob("events.out.tfevents.*"))


def test_help_does_not_import_trackers():
    code = (
        "import sys\n"
        "from promptreid.cli.main import main\n"
        "try: main(['train', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'tensorboard', 'wandb', 'mlflow', 'numpy'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--track" in done.stdout
