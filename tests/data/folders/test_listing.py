from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from promptreid.data.folders.listing import list_folder
from promptreid.errors import DataError


def test_everything_by_its_kind(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "x.heic", "y.CR2", "notes.txt", "Makefile", ".hidden.jpg"):
        (tmp_path / name).touch()
    for name in ("Thumbs.db", "desktop.ini"):
        (tmp_path / name).touch()
    for name in ("folder", "folder.jpg", ".git"):
        (tmp_path / name).mkdir()
    for name, target in {
        "link": "folder",
        "link.jpg": "a.png",
        "gone": "nowhere",
        "gone.jpg": "nowhere",
        "gone.heic": "nowhere",
        "gone.txt": "nowhere",
        "circle": "circle",
    }.items():
        (tmp_path / name).symlink_to(target)
    found = list_folder(tmp_path)
    assert found.images == ["a.png", "b.JPG", "link.jpg"]
    assert found.folders == ["folder", "folder.jpg", "link"]
    assert found.linked == {"link"}
    assert (found.heic, found.raw) == (["x.heic"], ["y.CR2"])
    assert found.others == ["Makefile", "gone.txt", "notes.txt"]
    assert found.dead_images == ["gone.heic", "gone.jpg"]
    assert found.dead_folders == ["circle", "gone"]
    assert found.special == []


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes in folders on Windows")
def test_pipes_are_no_images(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    found = list_folder(tmp_path)
    assert (found.images, found.special) == ([], ["a.jpg"])


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be listed: No such file"):
        list_folder(tmp_path / "none")
