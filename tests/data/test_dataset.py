from __future__ import annotations

import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from promptreid.data import readers
from promptreid.data.load_data import data_options, load_data
from promptreid.data.reader_registry import READERS, reader_entry
from promptreid.data.readers.reader_options import ReaderOptions
from promptreid.errors import ConfigError, DataError


def test_every_reader_is_in_the_table() -> None:
    modules = [
        importlib.import_module(m.name)
        for m in pkgutil.iter_modules(readers.__path__, "promptreid.data.readers.")
    ]
    with_read = {m.__name__ for m in modules if hasattr(m, "read") and hasattr(m, "Options")}
    assert with_read == {entry.module for entry in READERS.values()}
    assert len(READERS) == 20


@pytest.mark.parametrize("name", list(READERS))
def test_every_entry_leads_somewhere(name: str) -> None:
    entry = READERS[name]
    assert entry.name == name
    reader = importlib.import_module(entry.module)
    assert callable(reader.read)
    assert issubclass(reader.Options, ReaderOptions)
    assert entry.description
    options = data_options(name)
    assert options
    assert all(option.description and option.allowed for option in options)


def test_the_table_cannot_change() -> None:
    with pytest.raises(TypeError):
        cast(dict, READERS)["mine"] = READERS["csv"]


def test_unknown_names_are_answered_with_close_ones() -> None:
    with pytest.raises(ConfigError, match=r"no data set named 'market'.*Did you mean 'market1501'"):
        load_data("market:/data")
    with pytest.raises(ConfigError, match=r"named .zzz.\. `promptreid data list` lists all"):
        reader_entry("zzz")


@pytest.mark.parametrize("spec", ["C:\\crops", "d:/crops"])
def test_a_drive_is_no_data_set(spec: str) -> None:
    with pytest.raises(ConfigError, match=f"{spec[0]}: is a drive.*folder:{spec[0]}:"):
        load_data(spec)


def test_a_home_of_nobody_is_a_sentence() -> None:
    with pytest.raises(ConfigError, match="there is no user 'nosuchuser'"):
        load_data("folder:~nosuchuser/x")
    with pytest.raises(ConfigError, match=r"Option use=.* of data set 'folder' is not allowed"):
        load_data("folder:x?use=\udcff")


def test_a_mark_in_the_name_of_a_folder(tmp_path: Path) -> None:
    for identity in ("a", "b", "c", "d"):
        (tmp_path / "what?" / identity).mkdir(parents=True)
        for number in range(2):
            (tmp_path / "what?" / identity / f"{number}.jpg").write_bytes(b"")
    dataset = load_data(f"folder:{tmp_path}/what%3F")
    assert dataset.manifest.root == tmp_path / "what?"
    with pytest.raises(DataError, match=r"does not exist.*written %3F"):
        load_data(f"folder:{tmp_path}/what?")


def test_all_wrong_options_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load_data("hands11k:/d?aspct=all&repeats=ten&gallery=some&seed=-1&thresholds=x")
    text = str(caught.value)
    assert text.startswith("5 options of 'hands11k' are wrong:")
    for words in (
        "no option of data set 'hands11k' named 'aspct'. Did you mean 'aspect'",
        "repeats=ten of data set 'hands11k' is not allowed: it must be a whole number",
        "gallery=some of data set 'hands11k' is not allowed: it must be 'same' or 'all'",
        "seed=-1 of data set 'hands11k' is not allowed: it must be at least 0",
        "thresholds=x of data set 'hands11k' is not allowed: it must be auto, mba, common, half",
    ):
        assert words in text


def test_one_wrong_option_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match=r"^Option train=1.5 of .*'folder'.*at most 1"):
        load_data("folder:/d?train=1.5")


FILE_READERS = ("csv", "coco", "cvat", "datumaro", "label_studio", "wildlife")
"""Readers that take one file, where the others read a folder."""


@pytest.mark.parametrize("name", FILE_READERS)
def test_a_place_that_is_no_file_is_a_sentence(name: str, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "absent"):
        with pytest.raises(DataError, match=re.escape(str(place))) as caught:
            load_data(f"{name}:{place}")
        words = "directory|folder|is not a file|does not exist|no such file"
        assert re.search(words, str(caught.value), re.IGNORECASE)


@pytest.mark.parametrize("name", [name for name in READERS if name not in FILE_READERS])
def test_a_wrong_root_says_what_is_there(name: str, tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    (tmp_path / "readme.txt").touch()
    with pytest.raises(DataError, match=r"holiday/, readme\.txt"):
        load_data(f"{name}:{tmp_path}")
    with pytest.raises(DataError, match=r"(does not exist|is not a folder)"):
        load_data(f"{name}:{tmp_path / 'absent'}")
    with pytest.raises(DataError, match=r"(is a file|is not a folder)"):
        load_data(f"{name}:{tmp_path / 'readme.txt'}")


def test_reading_does_not_import_torch(tmp_path: Path) -> None:
    for name in ("1/a.jpg", "1/b.jpg", "2/a.jpg", "2/b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    code = (
        "import sys; from promptreid.data.load_data import load_data;"
        "from promptreid.data.inspection.inspect import inspect_data;"
        "import promptreid.data.splits.validation;"
        f"inspect_data(load_data('folder:{tmp_path}'), check_images=False);"
        "print('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_home_is_expanded_and_the_spec_kept(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("d/1/a.jpg", "d/2/a.jpg", "d/2/b.jpg", "d/1/b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    data = load_data("folder:~/d?seed=1")
    assert data.spec == "folder:~/d?seed=1"
    assert data.manifest.root == tmp_path / "d"
    monkeypatch.chdir(tmp_path)
    assert load_data("folder:d").manifest.root == tmp_path / "d"


def test_forbidden_folders_are_a_sentence(tmp_path: Path, monkeypatch) -> None:
    def forbidden(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(os, "scandir", forbidden)
    with pytest.raises(DataError, match=f"{tmp_path} cannot be read: Permission denied"):
        load_data(f"market1501:{tmp_path}")


def test_a_forbidden_neighbour_does_not_matter(tmp_path: Path, monkeypatch) -> None:
    for name in (
        "bounding_box_train/0001_c1.jpg",
        "query/0002_c1.jpg",
        "bounding_box_test/0002_c2.jpg",
    ):
        (tmp_path / "b" / name).parent.mkdir(parents=True)
        (tmp_path / "b" / name).touch()
    (tmp_path / "a").mkdir()
    exists = Path.exists

    def guarded(path: Path) -> bool:
        if path.is_relative_to(tmp_path / "a"):
            raise PermissionError(13, "Permission denied", str(path))
        return exists(path)

    monkeypatch.setattr(Path, "exists", guarded)
    assert len(load_data(f"market1501:{tmp_path}").manifest) == 3


def test_a_data_set_and_its_manifest_are_written_in_a_line(crops):
    data = load_data(f"folder:{crops}")
    assert repr(data).startswith(f"DataSet(folder:{crops}: ")
    assert "train 30 images of 6 identities" in repr(data)
    assert len(repr(data.manifest)) < 80 + len(str(crops))
    assert "60 images" in repr(data.manifest)
