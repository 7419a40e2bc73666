"""What killed processes leave goes at the next start; what others are writing stays."""

import os
import socket
import subprocess
import sys

from run_records import make_run

from promptreid.runs.leftovers import name_beside


def dead_process():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def test_temporary_files_inside_go(tmp_path):
    run = make_run(tmp_path / "run")
    run.cache.mkdir()
    places = (run.path, run.last.parent, run.cache)
    for place in places:
        (place / ".last.safetensors.123-0a1b2c3d.tmp").write_bytes(b"half")
    (run.path / ".notes.tmp").write_text("mine")
    before = {file.name for file in run.path.iterdir()}
    with run.locked():
        run.clean()
    assert {file.name for file in run.path.iterdir()} - before == {".lock"}
    assert (run.path / ".notes.tmp").exists()
    assert not any(place.glob(".*-*.tmp") and list(place.glob(".*-*.tmp")) for place in places)
    assert run.status().status == "started"


def test_folders_beside_go_when_their_process_is_dead(tmp_path, monkeypatch):
    run = make_run(tmp_path / "run")
    own = name_beside(run.path, "tmp")
    gone = own.with_name(own.name.replace(f"-{os.getpid()}-", f"-{dead_process()}-"))
    with monkeypatch.context() as patched:
        patched.setattr(socket, "gethostname", lambda: "another machine")
        elsewhere = name_beside(run.path, "tmp")
    elsewhere = elsewhere.with_name(
        elsewhere.name.replace(f"-{os.getpid()}-", f"-{dead_process()}-")
    )
    other = gone.with_name(gone.name.replace(".run.", ".run2."))
    for folder in (own, gone, elsewhere, other):
        (folder / "checkpoints").mkdir(parents=True)
    with run.locked():
        run.clean()
    assert not gone.exists()
    assert own.exists()
    assert elsewhere.exists()
    assert other.exists()
