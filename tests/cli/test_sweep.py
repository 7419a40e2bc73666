"""Whole sweeps of small runs from the command line, and their tables."""

import json
import subprocess
import sys

import pytest
import yaml

from promptreid.cli.main import main

pytestmark = pytest.mark.slow


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


@pytest.fixture(scope="module")
def study(crops, tmp_path_factory):
    """A sweep file of four zero-shot runs, which need no training."""
    folder = tmp_path_factory.mktemp("study")
    values = {
        "recipe": "zero-shot",
        "data": [f"folder:{crops}?repeats=2"],
        "seeds": [0, 1],
        "set": ["backbone.name=tiny", "backbone.pretrained=none"],
        "grid": {"backbone.image_size": [[32, 32], [48, 48]]},
    }
    (folder / "sizes.yaml").write_text(yaml.safe_dump(values))
    return folder / "sizes.yaml"


@pytest.fixture(scope="module")
def done(study):
    out = study.parent / "runs"
    with pytest.raises(SystemExit) as caught:
        main(["sweep", str(study), "--out", str(out), "--device", "cpu"])
    assert caught.value.code == 0
    return out


def test_a_sweep_leaves_runs_and_tables(done):
    names = ["image_size-32-32_seed0", "image_size-32-32_seed1"]
    names += ["image_size-48-48_seed0", "image_size-48-48_seed1"]
    assert list(json.loads((done / "sweep.json").read_text())["runs"]) == names
    for name in names:
        assert json.loads((done / name / "status.json").read_text())["status"] == "complete"
    table = json.loads((done / "table.json").read_text())
    assert [row["seeds"] for row in table["rows"]] == [[0, 1], [0, 1]]
    assert [row["settings"] for row in table["rows"]] == [
        {"backbone.image_size": [32, 32]}, {"backbone.image_size": [48, 48]},
    ]  # fmt: skip
    first = json.loads((done / names[0] / "scores.json").read_text())
    assert table["rows"][0]["scores"]["mAP"]["values"][0] == first["mAP"]
    assert (done / "table.md").read_text().startswith("| run | seeds | data | image_size |")
    assert (done / "table.csv").read_text().count("\n") == 3


def test_a_complete_sweep_is_left_alone(capsys, study, done):
    before = (done / "image_size-32-32_seed0" / "checkpoints" / "best.safetensors").stat().st_mtime
    code, out, err = run(capsys, "sweep", study, "--out", done, "--device", "cpu")
    assert code == 0
    assert "4 complete" in " ".join(err.split())  # a long line is wrapped
    assert "[4/4] image_size-48-48_seed1: complete already" in err
    assert "over seeds" in out
    after = (done / "image_size-32-32_seed0" / "checkpoints" / "best.safetensors").stat().st_mtime
    assert before == after


def test_dry_run_trains_nothing(capsys, study, done, tmp_path):
    code, out, _ = run(capsys, "sweep", study, "--out", tmp_path / "new", "--dry-run")
    assert code == 0
    assert out.startswith("4 runs (2 settings)")
    assert "image_size-48-48_seed1  zero-shot  new" in out
    assert not (tmp_path / "new").exists()
    changed = ["sweep", study, "embedding.neck=before", "backbone.stride=8", "--dry-run"]
    code, out, _ = run(capsys, *changed, "--out", done)
    assert "4 changed" in out
    assert "backbone.stride was absent and is now 8" in out


def test_mistakes_are_told_before_anything_starts(capsys, study, tmp_path):
    out = tmp_path / "out"
    for arguments, words in [
        (["backbone.nme=x"], "Did you mean 'backbone.name'?"),
        (["--data", "folders:/x"], "Did you mean 'folder'?"),
        (["--data", "folder:/nowhere"], "/nowhere"),
        (["--only", "image_size-64-64"], "run of this sweep named"),
        (["--device", "abacus"], "abacus"),
    ]:
        code, _, err = run(capsys, "sweep", study, *arguments, "--out", out)
        assert code == 2, err
        assert words in err
        assert "Traceback" not in err
        assert not out.exists()
    code, _, err = run(capsys, "sweep", tmp_path / "none.yaml")
    assert (code, "There is no sweep file" in err) == (2, True)


def test_failures_end_with_code_1_and_a_list(capsys, study, crops, tmp_path):
    values = yaml.safe_load(study.read_text())
    values["runs"] = {"good": {}, "bad": {"set": {"backbone.name": "coca_ViT-B-32"}}}
    values |= {"grid": {}, "seeds": [0], "set": {"backbone.image_size": 32, **TINY}}
    values["set"].pop("backbone.name")
    values["runs"]["good"] = {"set": {"backbone.name": "tiny"}}
    file = tmp_path / "mixed.yaml"
    file.write_text(yaml.safe_dump(values))
    code, out, err = run(capsys, "sweep", file, "--out", tmp_path / "out", "--device", "cpu")
    assert code == 1
    assert "good" in out
    assert "1 of 2 runs are not there" in err
    assert "bad_seed0: coca_ViT-B-32 is a captioning model" in err
    assert "tries those that failed again" in err
    saved = json.loads((tmp_path / "out" / "sweep.json").read_text())["runs"]
    assert saved["bad_seed0"]["status"] == "failed"


TINY = {"backbone.name": "tiny", "backbone.pretrained": "none"}


def test_ctrl_c_stops_and_the_same_command_goes_on(capsys, monkeypatch, quick, crops, tmp_path):
    import os
    import signal

    from promptreid.progress import Lines

    file = tmp_path / "short.yaml"
    values = {"recipe": "clip-reid", "data": f"folder:{crops}", "set": list(quick)}
    values |= {"runs": {"one": {}, "two": {"set": ["stages.image.losses.triplet=0"]}}}
    file.write_text(yaml.safe_dump(values))
    command = ["sweep", file, "--out", tmp_path / "out", "--device", "cpu"]
    images = 0

    def advance(_, count):
        nonlocal images
        before, images = images, images + count
        if before < 160 <= images:  # 60 are checked, 30 embedded untrained; then training begins
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Lines, "advance", advance)
        code, out, err = run(capsys, *command)
    assert code == 130
    assert out == ""
    assert "the same command goes on from here" in err
    saved = json.loads((tmp_path / "out" / "sweep.json").read_text())["runs"]
    assert [one["status"] for one in saved.values()] == ["stopped", "waiting"]
    code, out, err = run(capsys, *command)
    assert code == 0
    assert "resuming" in err
    assert [line.split()[0] for line in out.splitlines()[1:4]] == ["run", "one", "two"]


def test_compare_from_the_command_line(capsys, done, tmp_path):
    file = tmp_path / "t.md"
    code, out, _ = run(
        capsys, "compare", done, "--metric", "mINP", "--sort", "rank1", "--seeds", "apart",
        "--out", file, "--out", tmp_path / "t.json",
    )  # fmt: skip
    assert code == 0
    header = out.splitlines()[0].split()
    assert header[0] == "run"
    assert header[-2:] == ["mINP", "R1"]
    assert "over the protocol's draws" in out
    assert f"wrote {file}" in out
    scores = [
        row["scores"]["rank1"]["mean"]
        for row in json.loads((tmp_path / "t.json").read_text())["rows"]
    ]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 4
    code, _, err = run(capsys, "compare", done, "--out", tmp_path / "t.xlsx")
    assert (code, "must end in" in err) == (2, True)
    code, _, err = run(capsys, "compare", tmp_path)
    assert (code, "holds none" in err) == (2, True)


def test_compare_and_dry_run_import_no_torch(study, done):
    code = (
        "import sys\n"
        "from promptreid.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as done:\n"
        "    sys.exit(3 if 'torch' in sys.modules else done.code)\n"
    )
    for arguments in (["compare", done], ["sweep", study, "--out", done, "--dry-run"]):
        found = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, check=False
        )
        assert found.returncode == 0, found.stderr.decode()


def test_terminals_get_a_table_with_nothing_cut_off(done, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    _, out, _ = run(capsys, "compare", done)
    assert "image_size-32-32" in out
    assert "…" not in out
