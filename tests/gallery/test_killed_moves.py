"""A change of the model, or a copy, that is killed before any write has happened whole or not."""

import os
import shutil
import signal

import pytest
from forked_work import Task
from gallery_model import PixelModel, open_gallery
from gallery_worker import list_people
from moved_gallery import MOVES, NEW_SEED
from system_calls import is_traceable

from promptreid.errors import GalleryError
from promptreid.gallery.records.record_digests import digest_records
from promptreid.gallery.records.record_rows import SEARCHED
from promptreid.gallery.records.sqlite.sqlite_records import SqliteRecords

KILLS = int(os.environ.get("PROMPTREID_KILLS", "24")) // 2
"""How many processes are killed in each kind of work."""

OLD, NEW = PixelModel(0), PixelModel(NEW_SEED)

pytestmark = pytest.mark.skipif(
    not is_traceable(), reason="needs a system whose calls can be traced"
)


def make_place(prepared, folder, kind):
    """Make a gallery, and return what is written to: the gallery, or an empty folder beside."""
    shutil.copytree(prepared, folder / "people")
    (folder / "copy").mkdir()
    return str(folder / ("people" if kind == "reembed" else "copy"))


@pytest.fixture
def start(nursery, prepared, tmp_path):
    """Do a task beside a copy of the gallery; return the folder, the report, and what was said."""

    def run(kind, seed, **settings):
        folder, log = tmp_path / str(seed), tmp_path / f"log {seed}"
        report = nursery.run(
            Task(make_place(prepared, folder, kind), str(log), kind, seed, **settings)
        )
        return folder, report, log.exists()

    return run


@pytest.fixture(scope="module")
def calls(nursery, prepared, tmp_path_factory):
    """How many calls that change a file there are in each kind of work."""
    counts = {}
    for kind in MOVES:
        folder = tmp_path_factory.mktemp("whole")
        place = make_place(prepared, folder, kind)
        # A fault that never comes lets the process be watched to its end.
        task = Task(place, str(folder / "log"), kind, 0, fault="error", call=1_000_000)
        report = nursery.run(task)
        assert (report.signal, (folder / "log").read_text()) == (None, "done")
        counts[kind] = report.calls
    return counts


def holds_entries(folder):
    """Tell whether there are records with an entry in a folder."""
    if not SqliteRecords.is_there(folder):
        return False
    records = SqliteRecords.open(folder)
    count = records.count_entries()
    records.close()
    return count > 0


def kill(start, calls, kind, turn, end):
    call = (2 * turn + 1) * calls[kind] // (2 * KILLS)
    folder, report, is_done = start(kind, turn, end=end, call=call)
    assert report.alive, "it ended before it was killed"
    assert report.signal == signal.SIGKILL, "it was not the kill that ended it"
    assert report.calls == call + 1
    return folder, is_done


@pytest.mark.parametrize("turn", range(KILLS))
def test_a_change_of_the_model_happened_whole_or_not(start, calls, prepared, turn):
    folder, is_done = kill(start, calls, "reembed", turn, ("call", "power")[turn % 2])
    records = SqliteRecords.open(folder / "people")
    searched = records.model().fingerprint
    records.close()
    assert searched in (OLD.fingerprint, NEW.fingerprint)
    assert searched == NEW.fingerprint or not is_done
    gallery = open_gallery(folder / "people", 0 if searched == OLD.fingerprint else NEW_SEED)
    before = open_gallery(prepared)
    assert list_people(gallery) == list_people(before)
    before.close()
    assert gallery.check() == []
    told = gallery.reembed(NEW)
    assert told.made <= told.entries == 24
    [stored] = gallery.records.models()
    assert (stored.model.fingerprint, stored.state) == (NEW.fingerprint, SEARCHED)
    assert gallery.check() == []
    gallery.close()


@pytest.mark.parametrize("turn", range(KILLS))
def test_a_copy_is_whole_or_empty(start, calls, turn):
    folder, is_done = kill(start, calls, "copy", turn, "call")
    gallery = open_gallery(folder / "people")
    is_whole = holds_entries(folder / "copy")
    assert is_whole or not is_done
    if is_whole:
        with pytest.raises(GalleryError, match="24 images"):
            gallery.copy(folder / "copy")
    else:
        gallery.copy(folder / "copy")
    copied = open_gallery(folder / "copy")
    assert digest_records(copied.records) == digest_records(gallery.records)
    assert copied.check() == []
    copied.close()
    gallery.close()
