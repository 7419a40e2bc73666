from __future__ import annotations

import codecs
import os
from pathlib import Path

import pytest

from promptreid.data.tables.table_text import count_breaks, read_text, split_lines
from promptreid.errors import DataError

TEXT = "path,identity\nZoé 你好.jpg,1\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"),
        codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"),
    ],
)
def test_encodings_with_a_mark(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(content)
    assert read_text(file) == TEXT


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_windows_text_names_line_and_byte(tmp_path: Path, end: str) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(end.join(["path,identity", "a.jpg,1", "im/Zoé.jpg,2", ""]).encode("cp1252"))
    with pytest.raises(DataError, match=r"t.csv, line 3: .*\(0xE9\) is no UTF-8 text") as error:
        read_text(file)
    assert "im/Zoé.jpg,2" in str(error.value)
    assert "'CSV UTF-8'" in str(error.value)
    if end != "\r":
        assert "byte 6 of the line" in str(error.value)


def test_halved_utf_16(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(codecs.BOM_UTF16_LE + "a,b\n1,2\n".encode("utf-16-le") + b"\x00")
    with pytest.raises(DataError, match=r"line 3: the bytes are no UTF-16-LE text"):
        read_text(file)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
def test_wide_text_without_a_mark(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(TEXT.encode(encoding))
    with pytest.raises(DataError, match=r"looks like UTF-16 or UTF-32 text without a byte-order"):
        read_text(file)


def test_zeros(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(b"path,identity\r\nHa\0nds/1.jpg,1\r\n")
    with pytest.raises(DataError, match=r"t.csv, line 2: character 3 of the line is a zero"):
        read_text(file)
    assert read_text(file, exact=True) == "path,identity\r\nHa\0nds/1.jpg,1\r\n"


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent.csv cannot be read: No such file"):
        read_text(tmp_path / "absent.csv")
    with pytest.raises(DataError, match=r"is not a file, so no table"):
        read_text(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match=r"pipe is not a file, so no table"):
        read_text(tmp_path / "pipe")
    with pytest.raises(DataError, match=r"cannot be read: embedded null byte"):
        read_text(tmp_path / "a\0b")


def test_lines_as_an_editor_counts() -> None:
    text = "a\u2028b\x0bc\nd\re\r\nf"
    assert split_lines(text) == ["a\u2028b\x0bc\n", "d\r", "e\r\n", "f"]
    assert count_breaks(text) == 3
