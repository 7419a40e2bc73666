from __future__ import annotations

from pathlib import Path

import pytest

from promptreid.data.load_data import load_data
from promptreid.errors import DataError


def test_every_image_below_is_its_own_identity(tmp_path: Path, make_images) -> None:
    make_images(tmp_path, ["b.jpg", "deep/er/a.png", "deep/c.jpg"])
    (tmp_path / ".hidden").mkdir()
    make_images(tmp_path / ".hidden", ["d.jpg"])
    (tmp_path / "notes.txt").touch()
    data = load_data(f"images:{tmp_path}")
    names = ("b.jpg", "deep/c.jpg", "deep/er/a.png")
    assert data.manifest.paths == data.manifest.identities == names
    assert set(data.manifest.splits) == {"train"}
    assert data.protocol is None
    assert "3 images without identities" in data.notes[0]


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_nothing_there_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="for images"):
        load_data(f"images:{tmp_path / name}")


def test_circles_of_links_end(tmp_path: Path, make_images) -> None:
    make_images(tmp_path, ["a/1.jpg", "b/2.jpg"])
    (tmp_path / "a/up").symlink_to("..")
    (tmp_path / "b/other").symlink_to("../a")
    (tmp_path / "b/3.heic").touch()
    data = load_data(f"images:{tmp_path}")
    assert data.manifest.paths == ("a/1.jpg", "b/2.jpg")
    assert "2 folders are met again through links" in " ".join(data.notes)
    assert "1 HEIC file cannot be read here" in " ".join(data.notes)


def test_only_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "1.heic").touch()
    with pytest.raises(DataError, match="1 HEIC file cannot be read here; convert it to JPEG"):
        load_data(f"images:{tmp_path}")


def test_very_deep_folders_are_read(tmp_path: Path, make_images) -> None:
    folders = [tmp_path]
    for _ in range(1200):
        folders.append(folders[-1] / "d")
        folders[-1].mkdir()
    make_images(folders[-1], ["a.jpg"])
    try:
        assert load_data(f"images:{tmp_path}").manifest.paths == ("d/" * 1200 + "a.jpg",)
    finally:  # what removes old folders of tests may not go so deep
        (folders[-1] / "a.jpg").unlink()
        for folder in reversed(folders[1:]):
            folder.rmdir()
