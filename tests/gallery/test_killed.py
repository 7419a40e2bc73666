"""A process that is killed at any point loses nothing it acknowledged and leaves nothing half."""

import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from multiprocessing import forkserver

import pytest
from gallery_model import draw_people, make_gallery, open_gallery
from gallery_worker import work

from promptreid.gallery.records.erased_bytes import LENGTH, choose_pieces, find_in_files
from promptreid.gallery.vector_model import GalleryImage

KILLS = int(os.environ.get("PROMPTREID_KILLS", "18"))
"""How many processes are killed, a third of them in each kind of work."""


@pytest.fixture(scope="module")
def processes():
    """Make processes that have PyTorch as they start; their server needs a path for it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["gallery_worker"])
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        forkserver.ensure_running()
    return context


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed") / "people"
    gallery = make_gallery(folder)
    gallery.add(*draw_people(12, 2))
    gallery.close()
    return folder


def kill_at_work(processes, folder, log, kind, seed):
    """Start work, kill it while it is at it, and return what it has said."""
    process = processes.Process(target=work, args=(folder, log, kind, seed), daemon=True)
    process.start()
    end = time.monotonic() + 60
    while not (log.exists() and log.stat().st_size) and time.monotonic() < end:
        time.sleep(0.002)
    time.sleep(random.Random(seed).uniform(0, 0.25))
    assert process.is_alive(), "it ended before it was killed"
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)
    assert process.exitcode == -signal.SIGKILL, "it was not the kill that ended it"
    return log.read_text().splitlines()


@pytest.mark.parametrize("seed", range(KILLS))
def test_nothing_acknowledged_is_lost_and_nothing_is_half(processes, prepared, tmp_path, seed):
    kind = ("add", "hide", "erase")[seed % 3]
    folder = shutil.copytree(prepared, tmp_path / "people")
    lines = kill_at_work(processes, folder, tmp_path / "log", kind, seed)
    done = {line.removeprefix("done ") for line in lines if line.startswith("done ")}
    under_way = {line.removeprefix("begin ") for line in lines if line.startswith("begin ")} - done
    assert len(under_way) <= 1
    gallery = open_gallery(folder)
    assert gallery.check() == []
    people = {row.name: row for row in gallery.identities()}
    assert {f"person {number}" for number in range(12)} <= people.keys()
    for step in range(len(lines)):
        name = f"new {step}"
        added, erased = f"add {name}" in done, f"erase {name}" in done
        if name in people:
            assert people[name].entries == 5
            assert added or f"add {name}" in under_way
            assert not erased
            assert people[name].hidden in (0, 5)
            if f"hide {name}" in done:
                assert people[name].hidden == 5
        else:
            assert erased or f"erase {name}" in under_way or not added
        if erased or (added and name not in people):
            pictures, _ = draw_people(1, 5, seed=1000 * seed + step + 1)
            vectors = gallery._model.vectors([GalleryImage(picture) for picture in pictures])
            pieces = [piece for row in vectors for piece in choose_pieces(row.tobytes())]
            assert len(pieces[0]) == LENGTH
            assert find_in_files(folder.iterdir(), pieces) == []
