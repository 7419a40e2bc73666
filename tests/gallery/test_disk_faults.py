"""A disk that is full, fails, or writes less than it was given: words, and nothing lost."""

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from forked_work import Task
from gallery_model import draw_people, make_gallery, open_gallery
from gallery_worker import KINDS, Log, list_people
from system_calls import is_traceable

from promptreid.errors import GalleryError

CHANGES = 6
FAULTS = int(os.environ.get("PROMPTREID_KILLS", "24")) // 6
"""How many processes meet each kind of fault."""


def list_possible(before, log):
    """Return what a gallery may hold: all that was acknowledged, and nothing that was refused.

    An erasure may have gone before its rest failed, and so may a commit that failed as the last.
    """
    possible = [before]
    for change in log.asked:
        after = [change.apply(people) for people in possible if change.fits(people)]
        if change in log.done:
            possible = after
        elif change.verb == "erase" or change == log.asked[-1]:
            possible += after
    return possible


def check_kept(folder, before, log):
    gallery = open_gallery(folder)
    assert list_people(gallery) in list_possible(before, log)
    assert gallery.check() == []
    gallery.add(*draw_people(1, 2, seed=99))  # it goes on
    gallery.close()


def check_words(log, folder, remedies):
    assert log.crash is None, log.crash
    for _, words in log.told:
        assert "There is no identity" in words or (
            str(folder) in words and any(remedy in words for remedy in remedies)
        ), words


@pytest.mark.skipif(not is_traceable(), reason="needs a system whose calls can be traced")
@pytest.mark.parametrize("seed", range(FAULTS))
@pytest.mark.parametrize(
    ("fault", "remedies"),
    [
        ("full", ["free some space"]),
        ("error", ["backup"]),
        ("error once", ["backup"]),
        ("short", []),
    ],
)
def test_a_fault_of_the_disk_is_told_and_nothing_is_lost(
    nursery, prepared, tmp_path, fault, remedies, seed
):
    folder, log = shutil.copytree(prepared, tmp_path / "people"), tmp_path / "log"
    before = list_people(opened := open_gallery(prepared))
    opened.close()
    kind = KINDS[seed % len(KINDS)]
    call = 3 + 11 * seed  # of some 80 to 200
    report = nursery.run(Task(str(folder), str(log), kind, seed, CHANGES, fault=fault, call=call))
    assert report.signal is None
    assert report.hindered > 0
    found = Log.read(log)
    check_words(found, folder, remedies)
    if fault in ("full", "error"):
        assert found.told
    if fault == "short":
        assert len(found.done) == CHANGES
    check_kept(folder, before, found)


@pytest.mark.parametrize("limit", [40_000, 64_000, 120_000])
def test_a_file_that_may_not_grow_is_told_and_nothing_is_lost(nursery, prepared, tmp_path, limit):
    folder, log = shutil.copytree(prepared, tmp_path / "people"), tmp_path / "log"
    before = list_people(opened := open_gallery(prepared))
    opened.close()
    report = nursery.run(Task(str(folder), str(log), "add", 1, 12, fault="limit", call=limit))
    assert report.signal is None
    found = Log.read(log)
    assert found.told
    check_words(found, folder, ["free some space", "backup"])
    check_kept(folder, before, found)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of half a megabyte, where mounting is allowed."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_fills_up_keeps_what_was_acknowledged(small_disk):
    folder = small_disk / "people"
    gallery, added = make_gallery(folder), []

    def fill():
        for seed in range(2000):
            gallery.add(*draw_people(1, 5, seed=seed))
            added.append(seed)

    with pytest.raises(GalleryError, match="free some space"):
        fill()
    assert len(added) > 1
    assert gallery.search(draw_people(1, 1)[0])
    gallery.close()
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    opened = open_gallery(folder)
    assert opened.info().entries == 5 * len(added)
    assert opened.check() == []
    opened.close()


def test_an_export_to_a_full_disk_is_told(tmp_path, monkeypatch):
    gallery = make_gallery(tmp_path / "people")
    gallery.add(*draw_people(3, 2))

    def fail(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="No space left"):
        gallery.export(tmp_path / "out")
    monkeypatch.undo()
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert gallery.check() == []
