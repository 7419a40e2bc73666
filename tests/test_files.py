import json
import os
from pathlib import Path

import pytest

from promptreid.errors import ConfigError
from promptreid.files import (
    full_path,
    name_entries,
    replacing,
    replacing_folder,
    user_cache,
    write_json,
    write_text,
)


def test_failure_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_the_name_appears_only_when_the_text_is_whole(tmp_path):
    path = tmp_path / "deep" / "b.json"
    with replacing(path) as temporary:
        temporary.write_text("{}")
        assert not path.exists()
    assert path.read_text() == "{}"
    write_json(path, {"x": 1})
    assert path.read_text() == '{\n  "x": 1\n}\n'


def test_the_disk_has_the_text_before_it_has_the_name(tmp_path, monkeypatch):
    path, synced = tmp_path / "a.txt", []

    def sync(descriptor):
        synced.append((os.fstat(descriptor).st_ino, path.exists()))

    monkeypatch.setattr(os, "fsync", sync)
    write_text(path, "text")
    assert synced == [(path.stat().st_ino, False), (tmp_path.stat().st_ino, True)]


def test_files_are_utf8_and_take_names_that_are_no_text(tmp_path):
    names = {"Andr\udce9": ["grün", "名前"]}
    write_json(tmp_path / "a.json", names)
    assert json.loads((tmp_path / "a.json").read_bytes()) == names
    write_text(tmp_path / "a.txt", "Andr\udce9\r\ngrün\n")
    assert (tmp_path / "a.txt").read_bytes() == "Andr\\udce9\r\ngrün\n".encode()


def test_what_the_system_refuses_is_told_by_the_name_that_was_given(tmp_path):
    path = tmp_path / "page.html"
    path.mkdir()
    with pytest.raises(OSError, match=r"page\.html") as caught:
        write_text(path, "text")
    assert caught.value.filename == str(path)


def test_paths_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b")
    assert full_path("x/y/") == tmp_path / "x" / "y"
    assert full_path("a/b/../c") == tmp_path / "a" / "c"
    assert full_path("link/../c") == tmp_path / "a" / "c"  # as the disk does it
    assert full_path("../x") == tmp_path.parent / "x"
    assert full_path("~/x") == tmp_path / "home" / "x"
    assert full_path("./~nosuchuser") == tmp_path / "~nosuchuser"
    assert full_path(tmp_path) == tmp_path


@pytest.mark.parametrize(
    ("path", "words"),
    [("~nosuchuser/x", r"there is no user 'nosuchuser'.*\./~nosuchuser"), ("a\0b", "zero byte")],
)
def test_paths_that_lead_nowhere(path, words):
    with pytest.raises(ConfigError, match=words):
        full_path(path)


def test_entries_of_a_folder_in_a_message(tmp_path):
    assert name_entries(tmp_path) == "nothing"
    for name in "gfedcba":
        (tmp_path / name).touch()
    assert name_entries(tmp_path) == "a, b, c, d, e and 2 more"
    assert name_entries(tmp_path / "a") == "nothing; it is a file"


def test_a_folder_takes_its_place_whole_or_not_at_all(tmp_path):
    place = tmp_path / "deep" / "mine"
    for content in ("first", "second"):
        with replacing_folder(place) as fresh:
            (fresh / content).write_text(content)
            assert not (place / content).exists()
        assert [entry.name for entry in place.iterdir()] == [content]
    with pytest.raises(OSError, match="full"), replacing_folder(place) as fresh:  # noqa: PT012
        (fresh / "third").touch()
        raise OSError("disk full")
    assert [entry.name for entry in place.iterdir()] == ["second"]
    assert [entry.name for entry in place.parent.iterdir()] == ["mine"]


def test_a_user_without_a_home_is_told_what_names_one(monkeypatch):
    def refuse():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", refuse)
    with pytest.raises(ConfigError, match="XDG_CACHE_HOME"):
        user_cache("pixels")
