"""A process that is killed at any point loses nothing it acknowledged and leaves nothing half."""

import itertools
import os
import shutil
import signal

import pytest
from forked_work import Task
from gallery_model import open_gallery
from gallery_worker import KINDS, Log, draw_pictures, list_changes, list_people
from system_calls import is_traceable

from promptreid.errors import GalleryError
from promptreid.gallery.records.erased_bytes import choose_pieces, find_in_files
from promptreid.gallery.vector_model import GalleryImage

KILLS = int(os.environ.get("PROMPTREID_KILLS", "24"))
"""How many processes are killed: half by the clock, half before a call that changes a file."""

CHANGES = 6
"""Changes that a process makes which is killed before a call."""


@pytest.fixture
def start(nursery, prepared, tmp_path):
    """Do a task on a copy of the gallery; return the report and what the process has said."""

    def run(kind, seed, **settings):
        folder, log = tmp_path / f"people {seed}", tmp_path / f"log {seed}"
        shutil.copytree(prepared, folder)
        report = nursery.run(Task(str(folder), str(log), kind, seed, **settings))
        return folder, report, Log.read(log)

    return run


def check_killed(report):
    assert report.alive, "it ended before it was killed"
    assert report.signal == signal.SIGKILL, "it was not the kill that ended it"


def check_kept(folder, prepared, log):
    """Check that a gallery is what was acknowledged, with or without the change under way."""
    gallery = open_gallery(prepared)
    expected = list_people(gallery)
    gallery.close()
    for change in log.done:
        expected = change.apply(expected)
    possible = [expected] + ([log.unknown.apply(expected)] if log.unknown else [])
    gallery = open_gallery(folder)
    people = list_people(gallery)
    assert people in possible
    assert gallery.check() == []  # the null sample is compared with one from scratch, too
    assert not gallery.records.is_compaction_due
    seeds = {change.name: change.seed for change in log.asked if change.verb == "add"}
    for change in log.asked:
        if change.verb == "erase" and change.name not in people:
            erased = [GalleryImage(picture) for picture in draw_pictures(seeds[change.name])]
            vectors = gallery._model.vectors(erased)
            pieces = [piece for row in vectors for piece in choose_pieces(row.tobytes())]
            assert len(pieces) == len(erased)
            assert find_in_files(folder.iterdir(), pieces) == []
    gallery.close()


@pytest.mark.parametrize("seed", range(0, KILLS, 2))
def test_nothing_is_lost_or_half_after_a_kill_at_any_time(start, prepared, seed):
    folder, report, log = start(KINDS[seed // 2 % 4], seed, end="clock")
    check_killed(report)
    assert log.crash is None
    check_kept(folder, prepared, log)


@pytest.fixture(scope="module")
def calls(nursery, prepared, tmp_path_factory):
    """How many calls that change a file there are in each kind of work."""
    counts = {}
    for kind in KINDS:
        folder = shutil.copytree(prepared, tmp_path_factory.mktemp("whole") / "people")
        log = folder.parent / "log"
        # A fault that never comes lets the process be watched to its end.
        task = Task(str(folder), str(log), kind, 1, CHANGES, fault="error", call=1_000_000)
        report = nursery.run(task)
        assert (report.signal, len(Log.read(log).done)) == (None, CHANGES)
        counts[kind] = report.calls
    return counts


@pytest.mark.skipif(not is_traceable(), reason="needs a system whose calls can be traced")
@pytest.mark.parametrize("seed", range(1, KILLS, 2))
def test_nothing_is_lost_or_half_after_a_kill_before_any_change_of_a_file(
    start, prepared, calls, seed
):
    kind, turn = KINDS[seed // 2 % 4], seed // 8
    turns = max(1, KILLS // 8)
    call = (2 * turn + 1) * calls[kind] // (2 * turns)
    folder, report, log = start(kind, seed, changes=CHANGES, end="call", call=call)
    check_killed(report)
    assert report.calls == call + 1
    assert log.crash is None
    check_kept(folder, prepared, log)


@pytest.mark.skipif(not is_traceable(), reason="needs a system whose calls can be traced")
@pytest.mark.parametrize("seed", range(KILLS // 2))
def test_nothing_is_lost_or_half_after_a_loss_of_power(start, prepared, calls, seed):
    kind, turns = KINDS[seed % 4], max(1, KILLS // 8)
    call = (2 * (seed // 4) + 1) * calls[kind] // (2 * turns)
    folder, report, log = start(kind, seed, changes=CHANGES, end="power", call=call)
    check_killed(report)
    assert log.crash is None
    check_kept(folder, prepared, log)


@pytest.mark.skipif(not is_traceable(), reason="needs a system whose calls can be traced")
def test_without_synchronising_a_loss_of_power_is_found_out(start, prepared):
    lost = 0
    for seed in range(3):
        folder, _, log = start("add", seed, changes=9, end="power", call=60, synchronous=False)
        assert log.done
        try:
            check_kept(folder, prepared, log)
        except (AssertionError, GalleryError):
            lost += 1
    assert lost


def test_a_process_that_nobody_kills_is_not_taken_for_one_that_was(start, prepared):
    folder, report, log = start("move", 1, changes=CHANGES)
    with pytest.raises(AssertionError, match="before it was killed"):
        check_killed(report)
    assert [*log.done] == [*itertools.islice(list_changes("move", 1), CHANGES)]
    check_kept(folder, prepared, log)


def test_a_gallery_that_lost_an_acknowledged_entry_is_found_out(start, prepared):
    folder, _, log = start("add", 1, changes=2)
    gallery = open_gallery(folder)
    gallery.erase(entries=[gallery.entries("new 1")[0].entry])
    gallery.close()
    with pytest.raises(AssertionError):
        check_kept(folder, prepared, log)
