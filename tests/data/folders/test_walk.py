from __future__ import annotations

import random
from pathlib import Path

import pytest
from facts import lacking

from promptreid.data.folders.walk import Walk
from promptreid.errors import DataError


def test_images_below_in_order(tmp_path: Path, make_images) -> None:
    names = ["b.jpg", "a/2.jpg", "a/1.jpg", "a/c/3.jpg", "d/4.jpg"]
    make_images(tmp_path, names)
    walk = Walk(tmp_path)
    found = list(walk.images_below(tmp_path, walk.enter(tmp_path)))
    assert found == ["b.jpg", "a/1.jpg", "a/2.jpg", "a/c/3.jpg", "d/4.jpg"]
    assert (walk.notes, walk.lost) == ((), ())


@pytest.mark.parametrize("seed", range(5))
def test_each_real_folder_is_met_once_whatever_links_there_are(
    tmp_path: Path, make_images, seed: int
) -> None:
    rng = random.Random(seed)
    folders = [tmp_path]
    for number in range(12):
        folders.append(rng.choice(folders) / f"f{number}")
        folders[-1].mkdir()
        make_images(folders[-1], ["x.jpg"])
    for number in range(20):
        (rng.choice(folders) / f"{'az'[number % 2]}{number}").symlink_to(rng.choice(folders))
    walk = Walk(tmp_path)
    found = list(walk.images_below(tmp_path, walk.enter(tmp_path)))
    assert len(found) == 12
    assert len({(tmp_path / name).resolve() for name in found}) == 12
    assert walk.notes[0].startswith("20 folders are met again through links")


def test_numbers_and_examples(tmp_path: Path) -> None:
    for number in range(1200):
        (tmp_path / f"{number}.txt").touch()
    for number in range(5):
        (tmp_path / f"{number}.nef").touch()
    (tmp_path / "gone").symlink_to("/nowhere")
    walk = Walk(tmp_path)
    walk.enter(tmp_path)
    others, raw = walk.notes
    assert not lacking(others, "1,200 files", ".txt")
    assert not lacking(raw, "5 raw camera files", "JPEG", "0.nef, 1.nef, 2.nef", "2 more")
    (lost,) = walk.lost
    assert not lacking(lost, "1 folder", "gone -> /nowhere")


def test_names_that_are_no_text_are_written_out(tmp_path: Path) -> None:
    (tmp_path / "a\udcff\x1b[2J").symlink_to("/no\nwhere")
    walk = Walk(tmp_path)
    walk.enter(tmp_path)
    (told,) = walk.lost
    assert told.isprintable()
    assert told.isascii()


def test_a_folder_that_vanishes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be listed"):
        Walk(tmp_path).enter(tmp_path / "none")
