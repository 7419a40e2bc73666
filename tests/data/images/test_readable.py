from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from promptreid.data.images.readable import load_readable
from promptreid.data.inspection.inspect import inspect_data
from promptreid.data.load_data import load_data
from promptreid.errors import DataError
from promptreid.progress import Silent


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def message(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    for who in "abcd":
        (tmp_path / who).mkdir()
        for number in range(3):
            Image.new("RGB", (4, 8), (ord(who), number, 9)).save(tmp_path / who / f"{number}.jpg")
    return tmp_path


def test_all_is_well(people: Path) -> None:
    heard = Heard()
    data = load_readable(f"folder:{people}", policy="stop", progress=heard)
    assert len(data.manifest) == 12
    assert len(heard.texts) == len(data.notes)


def test_links_to_nothing_are_treated_as_images_that_cannot_be_read(people: Path) -> None:
    (people / "a/9.jpg").symlink_to("/mnt/gone/9.jpg")
    (people / "b/0.jpg").write_text("no image")
    with pytest.raises(DataError) as caught:
        load_readable(f"folder:{people}", policy="stop", progress=Heard())
    said = str(caught.value)
    assert "1 image is a link to nothing, for example a/9.jpg -> /mnt/gone/9.jpg" in said
    assert "1 of 12 images" in said
    assert "--unreadable skip" in said
    heard = Heard()
    data = load_readable(f"folder:{people}", policy="skip", progress=heard)
    assert len(data.manifest) == 11
    assert data.lost == ()
    assert any("1 image is a link to nothing" in note for note in data.notes)
    assert any("not there: 1 image is a link to nothing" in text for text in heard.texts)
    (people / "b/0.jpg").unlink()
    only = load_readable(f"folder:{people}", policy="skip", progress=Heard())
    assert len(only.manifest) == 11
    with pytest.raises(DataError, match="link to nothing"):
        load_readable(f"folder:{people}", policy="stop", progress=Heard())


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes in folders on Windows")
@pytest.mark.parametrize("policy", ["stop", "skip"])
@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("pipe.jpg", "it is a named pipe, not a file"),
        ("/dev/zero", "it is a device, not a file"),
        ("a", "it is a directory"),
        ("large.jpg", "no more than 512 MiB are read"),
    ],
)
def test_what_a_table_lists_is_never_opened_unless_it_is_a_file(
    people: Path, image: str, reason: str, policy: str
) -> None:
    os.mkfifo(people / "pipe.jpg")
    with (people / "large.jpg").open("wb") as stream:
        stream.truncate(4 << 30)  # a hole, which takes no room
    rows = [f"{who}/{n}.jpg,{who}" for who in "abcd" for n in range(3)]
    table = people / "list.csv"
    table.write_text("\n".join(["path,identity", *rows, f"{image},d"]) + "\n")
    spec = f"csv:{table}"
    found = inspect_data(load_data(spec))
    assert reason in found.unreadable[0].reason
    assert not found.ok
    if policy == "skip":
        assert len(load_readable(spec, policy=policy, progress=Heard()).manifest) == 12
        return
    with pytest.raises(DataError, match=reason):
        load_readable(spec, policy=policy, progress=Heard())


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes in folders on Windows")
@pytest.mark.parametrize(
    ("spec", "files"),
    [
        ("msmt17:{0}", ["list_train.txt", "list_val.txt", "list_query.txt", "list_gallery.txt"]),
        ("hands11k:{0}", ["HandInfo.csv"]),
        ("csv:{0}/list.csv", ["list.csv"]),
    ],
)
def test_a_pipe_in_place_of_a_list_is_refused(tmp_path: Path, spec: str, files: list[str]) -> None:
    for file in files:
        os.mkfifo(tmp_path / file)
    for folder in ("train", "test", "Hands"):
        (tmp_path / folder).mkdir()
    with pytest.raises(DataError, match="not a file"):
        load_data(spec.format(tmp_path))
