"""Damaged files are told in words, by opening, searching or checking; no answer is wrong for it."""

import os
import shutil

import numpy as np
import pytest
from gallery_model import draw_people, open_gallery

from promptreid.errors import GalleryError
from promptreid.gallery.records.sqlite.acknowledged_revision import NOTE
from promptreid.gallery.records.sqlite.sqlite_schema import FILE

DAMAGES = int(os.environ.get("PROMPTREID_KILLS", "24")) * 2
LOG = f"{FILE}-wal"


@pytest.fixture
def folder(prepared, tmp_path):
    return shutil.copytree(prepared, tmp_path / "people")


@pytest.fixture(scope="module")
def with_log(prepared, tmp_path_factory):
    """A gallery whose last changes stand only in the log."""
    made = shutil.copytree(prepared, tmp_path_factory.mktemp("log") / "people")
    gallery = open_gallery(made)
    gallery.hide("person 3")
    gallery.add(*draw_people(2, 2, seed=5))
    gallery.name("person 4", "Dora")
    kept = shutil.copytree(made, made.with_name("kept"))
    gallery.close()
    (kept / f"{FILE}-shm").unlink()
    return kept


def read_answers(folder):
    """Return what a gallery holds and answers, and what its check finds."""
    gallery = open_gallery(folder)
    try:
        problems = gallery.check()
        answers = [answer.to_dict() for answer in gallery.search(draw_people(12, 2)[0][::2])]
        names = gallery.records.names()
        content = [
            (row.content_hash, names[row.identity], row.hidden, vector.tobytes())
            for row, vector in gallery.records.entries()
            if vector is not None
        ]
        return problems, answers, content
    finally:
        gallery.close()


def tell_or_answer(folder):
    """Return the same as `read_answers`, with what is raised in words as the only problem."""
    try:
        return read_answers(folder)
    except GalleryError as error:
        return [str(error)], [], []


def damage(content, seed):
    """Flip a bit, blank some bytes, or cut the rest off."""
    rng, changed = np.random.default_rng(seed), bytearray(content)
    place = int(rng.integers(len(changed)))
    if seed % 4 == 3:
        return changed[:place]
    if seed % 4 == 2:
        changed[place : place + 64] = bytes(len(changed[place : place + 64]))
    else:
        changed[place] ^= 1 << int(rng.integers(8))
    return changed


@pytest.mark.slow
@pytest.mark.parametrize("name", [FILE, LOG])
def test_damage_at_any_place_is_told_or_does_no_harm(prepared, with_log, tmp_path, name):
    source = prepared if name == FILE else with_log
    expected = read_answers(shutil.copytree(source, tmp_path / "whole"))
    content, told = (source / name).read_bytes(), 0
    for seed in range(DAMAGES):
        folder = shutil.copytree(source, tmp_path / f"people {seed}")
        (folder / name).write_bytes(damage(content, seed))
        problems, answers, stored = tell_or_answer(folder)
        if problems:
            told += 1
        else:  # space that is not used, or a name: nothing that an answer rests on
            assert [row[0] for row in stored] == [row[0] for row in expected[2]]
            assert [row[3] for row in stored] == [row[3] for row in expected[2]]
            for answer, right in zip(answers, expected[1], strict=True):
                assert (answer["score"], answer["p"]) == (right["score"], right["p"])
        shutil.rmtree(folder)
    assert told > DAMAGES // 4


@pytest.mark.parametrize("seed", range(4))
def test_a_bit_of_a_vector_that_changed_is_told_and_can_be_mended(folder, seed):
    gallery = open_gallery(folder)
    entries = list(gallery.records.entries())
    row, vector = entries[5 * seed]
    name = gallery.records.names()[row.identity]
    gallery.close()
    content = bytearray((folder / FILE).read_bytes())
    place = content.find(vector.tobytes())
    assert place > 0
    content[place + 31 * seed] ^= 1 << seed
    (folder / FILE).write_bytes(content)
    opened = open_gallery(folder)
    [finding] = opened.check()
    assert f"entry {row.entry} " in finding.problem
    assert "--mend" in finding.remedy
    with pytest.raises(GalleryError, match=f"vector of entry {row.entry}:"):
        opened.search(draw_people(1, 1)[0])
    opened.mend()
    [finding] = opened.check()
    assert finding.problem.startswith(f"Entry {row.entry}:")
    opened.erase(entries=[row.entry])
    pictures, _ = draw_people(12, 2)
    assert opened.add([pictures[5 * seed]], [name]).added == 1
    assert opened.check() == []
    opened.close()


def test_a_log_that_is_lost_is_told(with_log, tmp_path):
    folder = shutil.copytree(with_log, tmp_path / "people")
    (folder / LOG).unlink()
    with pytest.raises(GalleryError, match="acknowledged up to change") as caught:
        open_gallery(folder)
    assert str(folder / NOTE) in str(caught.value)
    (folder / NOTE).unlink()
    gallery = open_gallery(folder)
    assert "Dora" not in [row.name for row in gallery.identities()]
    assert gallery.check() == []
    gallery.close()


@pytest.mark.parametrize("content", [b"", b"x" * 26, b"0000000000000099 00000000\n", b"\xff" * 9])
def test_a_note_that_is_damaged_is_no_note(folder, content):
    (folder / NOTE).write_bytes(content)
    gallery = open_gallery(folder)
    assert gallery.check() == []
    gallery.hide("person 3")
    gallery.close()
    assert (folder / NOTE).read_bytes()[-10:] != content[-10:]
    open_gallery(folder).close()


def test_a_note_that_cannot_be_written_stops_nothing(folder):
    (folder / NOTE).unlink()
    (folder / NOTE).mkdir()
    gallery = open_gallery(folder)
    gallery.hide("person 3")
    assert gallery.check() == []
    gallery.close()
