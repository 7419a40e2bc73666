from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from promptreid.data.dataset import DataSet
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.protocol import Protocol, Repeat, fixed_protocol
from promptreid.errors import DataError

SPLITS = ("train", "val", "query", "gallery", "test", "distractor")


@pytest.fixture
def manifest() -> Manifest:
    """One row of each split; train and val share an identity."""
    names = ("1", "1", "2", "2", "3", "4")
    return Manifest.of(
        "toy",
        Path("/data"),
        (Sample(f"{s}.jpg", n, s) for s, n in zip(SPLITS, names, strict=True)),
    )


def test_repeat_is_checked_and_cannot_change() -> None:
    repeat = Repeat(np.array([3, 1]), np.array([0, 2], np.int32))
    assert repeat.gallery.dtype == np.int64
    assert repeat == Repeat(np.array([3, 1]), np.array([0, 2]))
    assert repeat != Repeat(np.array([1, 3]), np.array([0, 2]))
    with pytest.raises(ValueError, match=r"read-only"):
        repeat.query[0] = 5


@pytest.mark.parametrize(
    ("query", "gallery", "words"),
    [
        ([], [1], "query set needs at least one image"),
        ([1], [], "gallery set needs"),
        ([[1]], [2], "query set needs.*shape"),
        ([1, 1], [2], "name each row once"),
        ([-1], [2], "name each row once, counting from 0"),
        ([1, 2], [2, 3], "1 images are both query and gallery, the first in row 2"),
    ],
)
def test_bad_repeats(query: list, gallery: list, words: str) -> None:
    with pytest.raises(DataError, match=words):
        Repeat(np.array(query), np.array(gallery))


def test_protocol_words() -> None:
    repeat = (Repeat(np.array([0]), np.array([1])),)
    with pytest.raises(DataError, match=r"same-camera rule named 'exlude'.*'exclude'"):
        Protocol("p", repeat, "exlude", "step")
    with pytest.raises(DataError, match=r"AP definition named 'steps'"):
        Protocol("p", repeat, "keep", "steps")
    with pytest.raises(DataError, match=r"at least one repeat"):
        Protocol("p", (), "keep", "step")


def test_fixed_protocol_adds_distractors(manifest: Manifest) -> None:
    protocol = fixed_protocol(manifest, name="p", same_camera="exclude")
    assert protocol is not None
    assert protocol.repeats == (Repeat(np.array([2]), np.array([3, 5])),)
    assert protocol.ap == "step"
    assert fixed_protocol(manifest.select([0, 2]), name="p", same_camera="keep") is None


@pytest.mark.parametrize("row", [0, 1, 3, 5])
def test_only_test_images_are_queries(manifest: Manifest, row: int) -> None:
    protocol = Protocol("p", (Repeat(np.array([row]), np.array([4])),), "keep", "step")
    with pytest.raises(DataError, match=f"{SPLITS[row]}.jpg of split '{SPLITS[row]}' as query"):
        DataSet("s", manifest, protocol)


@pytest.mark.parametrize("row", [0, 1, 2])
def test_training_images_are_never_gallery(manifest: Manifest, row: int) -> None:
    protocol = Protocol("p", (Repeat(np.array([4]), np.array([row])),), "keep", "step")
    with pytest.raises(DataError, match=f"split '{SPLITS[row]}' as gallery"):
        DataSet("s", manifest, protocol)


def test_rows_must_exist(manifest: Manifest) -> None:
    protocol = Protocol("p", (Repeat(np.array([2]), np.array([6])),), "keep", "step")
    with pytest.raises(DataError, match=r"gallery row 6, but 'toy' has 6 rows"):
        DataSet("s", manifest, protocol)


def test_a_compact_protocol_numbers_the_rows_that_are_used() -> None:
    repeats = (Repeat(np.array([9, 4]), np.array([7])), Repeat(np.array([7]), np.array([2, 9])))
    protocol = Protocol("set", repeats, "keep", "step", note="a note")
    rows, compact = protocol.compact()
    assert rows.tolist() == [2, 4, 7, 9]
    assert compact.note == "a note"
    for before, after in zip(repeats, compact.repeats, strict=True):
        assert rows[after.query].tolist() == before.query.tolist()
        assert rows[after.gallery].tolist() == before.gallery.tolist()
