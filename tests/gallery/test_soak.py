"""Two processes write and four read one gallery for some time: nothing wrong, stuck, or growing."""

import json
import os
import shutil
import sys

import numpy as np
import pytest
from forked_work import Task
from gallery_model import open_gallery

SECONDS = float(os.environ.get("PROMPTREID_SOAK_SECONDS", "5"))
"""How long they go on."""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs a system whose calls can be traced")
def test_writers_and_readers_go_on_without_a_wrong_answer(nursery, prepared, tmp_path):
    folder = shutil.copytree(prepared, tmp_path / "people")
    kinds = ["soak write"] * 2 + ["soak read"] * 4
    tasks = [
        Task(str(folder), str(tmp_path / f"log {number}"), kind, number, seconds=SECONDS)
        for number, kind in enumerate(kinds)
    ]
    reports = nursery.run_together(tasks)
    assert [report.signal for report in reports] == [None] * 6
    lines = [
        [json.loads(line) for line in (tmp_path / f"log {number}").read_text().splitlines()]
        for number in range(6)
    ]
    everything = [line for process in lines for line in process]
    assert not [line for line in everything if line[0] in ("refused", "wrong", "crash")]
    assert all(process[-1][0] == "steps" and process[-1][1] > 0 for process in lines)
    erased = {line[1]: line[2] for line in everything if line[0] == "erased"}
    named = [line for line in everything if line[0] == "named"]
    assert len(erased) > 2
    assert len({name for _, _, names in named for name in names}) > 14
    for _, begun, names in named:
        assert all(names)
        assert not [name for name in names if erased.get(name, np.inf) < begun]
    for process in lines:
        memory = [line[1] for line in process if line[0] == "memory"]
        settled = memory[len(memory) // 3]
        assert memory[-1] < 1.1 * settled + 2**23
    gallery = open_gallery(folder)
    assert gallery.check() == []
    people = {row.name for row in gallery.identities()}
    assert not people & erased.keys()
    assert {f"person {number}" for number in range(12)} <= people
    gallery.close()
    assert (folder / "records.sqlite").stat().st_size < 2**21
    assert not (folder / "records.sqlite-wal").exists()
