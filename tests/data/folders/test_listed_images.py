from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from promptreid.data.folders.listed_images import find_listed
from promptreid.errors import DataError

COMPOSED = unicodedata.normalize("NFC", "Zo\u00e9")
DECOMPOSED = unicodedata.normalize("NFD", "Zo\u00e9")


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def find(root: Path, *paths: str, missing: str = "stop") -> tuple[list[str], tuple[str, ...]]:
    found, notes = find_listed(paths, root, missing=missing, listed_in="list.csv")
    return [path for _, path in found], notes


def test_exact_names_need_no_note(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "im/b.jpg", "im/deep/c.jpg", "A.JPG")
    paths = ["a.jpg", "im/b.jpg", "im/deep/c.jpg", f"{tmp_path}/a.jpg", "A.JPG"]
    assert find(tmp_path, *paths) == (paths, ())


@pytest.mark.parametrize(
    ("on_disk", "listed", "kind"),
    [
        (f"im/{DECOMPOSED}.jpg", f"im/{COMPOSED}.jpg", "Unicode form"),
        (f"im/{COMPOSED}.jpg", f"im/{DECOMPOSED}.jpg", "Unicode form"),
        (f"{DECOMPOSED}/a.jpg", f"{COMPOSED}/a.jpg", "Unicode form"),
        ("im/img_1.jpg", "im/IMG_1.JPG", "letter case"),
        ("Im/Deep/img_1.jpg", "im/deep/img_1.jpg", "letter case"),
        (f"im/{DECOMPOSED}.jpg", f"IM/{COMPOSED.upper()}.JPG", "letter case"),
    ],
)
def test_another_spelling_is_taken_where_there_is_one(
    tmp_path: Path, on_disk: str, listed: str, kind: str
) -> None:
    make(tmp_path, on_disk, "x/other.jpg")
    paths, notes = find(tmp_path, "x/other.jpg", listed)
    assert paths[1] == on_disk
    assert notes == (
        f"1 of 2 images listed in list.csv have another spelling on the disk (1 in {kind}) and are "
        f"taken for these files: {listed} is {on_disk}.",
    )
    paths, _ = find(tmp_path, f"{tmp_path}/{listed}")
    assert paths == [f"{tmp_path}/{on_disk}"]


def test_two_such_files_are_no_answer(tmp_path: Path) -> None:
    make(tmp_path, "im/img_1.jpg", "im/Img_1.jpg", "im/x.jpg")
    with pytest.raises(DataError, match=r"1 of 2 images .* are not in .*: im/IMG_1.JPG.* several"):
        find(tmp_path, "im/IMG_1.JPG", "im/x.jpg")
    paths, notes = find(tmp_path, "im/IMG_1.JPG", "im/x.jpg", missing="skip")
    assert paths == ["im/x.jpg"]
    assert "were skipped: im/IMG_1.JPG. For 1 of them there are several files" in notes[0]
    assert find(tmp_path, "im/img_1.jpg", "im/Img_1.jpg")[1] == ()


def test_missing(tmp_path: Path) -> None:
    make(tmp_path, "im/a.jpg")
    with pytest.raises(DataError, match=r"2 of 3 .*: no/a.jpg, im/b.jpg. Add the option missing=s"):
        find(tmp_path, "im/a.jpg", "no/a.jpg", "im/b.jpg")
    with pytest.raises(DataError, match=r"1 of 1 images listed in list.csv are not in .*: a.jpg.$"):
        find(tmp_path, "a.jpg", missing="skip")
    with pytest.raises(DataError, match=r"1 of 1"):
        find(tmp_path / "absent", "a.jpg")
