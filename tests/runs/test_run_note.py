"""The note of a run: kept, shown, changed by one command, and found out when edited."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from promptreid.cli.main import cli
from promptreid.errors import RunError
from promptreid.progress import Silent
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_note import LONGEST, clean_note
from promptreid.text.cells import markdown_cell
from promptreid.training.run.train import TrainRequest, train

NOTE = "the first with | pipes, <b>tags</b> and =formulas"


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


@pytest.fixture(scope="module")
def asked(crops: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainRequest:
    return TrainRequest(
        recipe="zero-shot",
        overrides=("backbone.name=tiny", "backbone.pretrained=none", "backbone.image_size=32"),
        data=(f"folder:{crops}",),
        out=tmp_path_factory.mktemp("runs") / "noted",
        device="cpu",
        note=f"  {NOTE}\n",
    )


@pytest.fixture(scope="module")
def noted(asked: TrainRequest) -> Path:
    return train(asked, progress=Silent()).path


@pytest.fixture(scope="module")
def plain(asked: TrainRequest) -> Path:
    assert asked.out is not None
    out = asked.out.with_name("plain")
    return train(replace(asked, out=out, seed=1, note=None), progress=Silent()).path


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  two\n\tlines  ", "two lines"),
        ("", ""),
        (" \n", ""),
        ("日本語 – naïve ✓", "日本語 – naïve ✓"),
        ("x" * LONGEST, "x" * LONGEST),
    ],
)
def test_a_note_is_one_line(given: str, kept: str) -> None:
    assert clean_note(given) == kept


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("x" * (LONGEST + 1), "501 characters"),
        ("red \x1b[31m", "cannot be seen"),
        ("half a \ud83d", "cannot be seen"),
        ("turned \u202e", "cannot be seen"),
    ],
)
def test_what_is_no_note_is_refused(given: str, words: str) -> None:
    with pytest.raises(RunError, match=words):
        clean_note(given)


def test_train_keeps_it_and_note_shows_it(noted: Path, plain: Path) -> None:
    assert RunFolder.open(noted).note() == NOTE
    assert invoke("note", str(noted)).output == f"{NOTE}\n"
    assert invoke("note", str(plain)).output == f"{plain} has no note\n"


def test_compare_shows_it_in_every_format(noted: Path, plain: Path, tmp_path: Path) -> None:
    files = {suffix: tmp_path / f"table.{suffix}" for suffix in ("md", "csv", "json")}
    arguments = ["compare", str(noted), str(plain), "--seeds", "apart"]
    for file in files.values():
        arguments += ["--out", str(file)]
    done = invoke(*arguments)
    assert f"Note of noted: {NOTE}" in " ".join(done.output.split())
    assert "Note of plain" not in done.output
    rows = list(csv.DictReader(io.StringIO(files["csv"].read_text())))
    assert [row["note"] for row in rows] == [NOTE, ""]
    assert [row["notes"] for row in json.loads(files["json"].read_text())["rows"]] == [[NOTE], []]
    assert markdown_cell(f"Note of noted: {NOTE}") in files["md"].read_text()


def test_runs_of_one_row_have_each_text_once(noted: Path, asked: TrainRequest) -> None:
    assert asked.out is not None
    for seed, note in ((2, NOTE), (3, "another")):
        out = asked.out.with_name(f"noted_seed{seed}")
        train(replace(asked, out=out, seed=seed, note=note), progress=Silent())
    folders = [str(asked.out.with_name(f"noted_seed{seed}")) for seed in (2, 3)]
    done = invoke("compare", str(noted), *folders)
    assert f"{NOTE}; another" in " ".join(done.output.split())


def test_a_resumed_run_keeps_its_own(asked: TrainRequest, noted: Path) -> None:
    again = replace(asked, resume=True)
    assert train(again, progress=Silent()).note() == NOTE
    assert train(replace(again, note=None), progress=Silent()).note() == NOTE
    with pytest.raises(RunError, match="promptreid note"):
        train(replace(again, note="another"), progress=Silent())
    assert RunFolder.open(noted).note() == NOTE


def test_the_command_changes_and_removes_it(plain: Path) -> None:
    assert invoke("note", str(plain), "now it has one").exit_code == 0
    assert RunFolder.open(plain).note() == "now it has one"
    assert invoke("note", str(plain), "x", "--remove").exit_code == 2
    assert invoke("note", str(plain), "--remove").output == f"{plain} has no note now\n"
    assert RunFolder.open(plain).note() == ""
    assert not (plain / "note.txt").exists()


def test_it_is_not_changed_while_a_process_trains_into_the_run(plain: Path) -> None:
    with RunFolder.open(plain).locked():
        done = invoke("note", str(plain), "meanwhile")
    assert isinstance(done.exception, RunError)
    assert "Another process is training" in str(done.exception)
    assert RunFolder.open(plain).note() == ""


@pytest.mark.parametrize("content", [b"edited by hand\n", b"", b"\xff\xfe", b"\0" * 40])
def test_a_note_edited_by_hand_is_found_out(noted: Path, content: bytes) -> None:
    path = noted / "note.txt"
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        with pytest.raises(RunError, match=r"note\.txt is damaged.*promptreid note"):
            RunFolder.open(noted).note()
        done = invoke("compare", str(noted))
        assert "note.txt is damaged" in str(done.exception)
        mended = invoke("note", str(noted), NOTE)
        assert mended.exit_code == 0
    finally:
        path.write_bytes(before)
    assert RunFolder.open(noted).note() == NOTE


def test_the_report_has_it_among_the_facts(noted: Path, plain: Path) -> None:
    from promptreid.inference.load import load
    from promptreid.pages.collect_runs import run_facts
    from promptreid.pages.report_page.run_facts import fact_rows

    facts = [run_facts(path.name, path, load(path, device="cpu")) for path in (noted, plain)]
    (row,) = [row for row in fact_rows(facts) if row.label == "Note"]
    assert row.values == (NOTE, "")
    assert not any(row.label == "Note" for row in fact_rows(facts[1:]))
