"""The bytes of a table as text: UTF-8, or UTF-16 and UTF-32 that say so."""

from __future__ import annotations

import codecs
import io
from pathlib import Path

from promptreid.data.tables.table_messages import name_place
from promptreid.errors import DataError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE_SHARE = 0.2
"""Share of zero bytes from which a file without a mark counts as UTF-16 or UTF-32."""


def read_text(file: Path, *, exact: bool = False) -> str:
    """Read a table as text.

    Args:
        file: UTF-8 with or without a byte-order mark; UTF-16 or UTF-32 with one.
        exact: The file was written by promptreid: bytes of file names that are no text and zero
            characters are kept as they are.

    Returns:
        The text without its mark, line ends as they are.

    Raises:
        DataError: It is no file, cannot be read, is in another encoding, or holds a zero
            character; the line is named.
    """
    try:
        if file.exists() and not file.is_file():
            raise DataError(f"{file} is not a file, so no table can be read from it.")
        data = file.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{file} cannot be read: {reason}.") from error
    if not exact and not data.startswith(tuple(mark for mark, _ in _MARKS)):
        _check_width(file, data)
    mark, encoding = next(
        ((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", "utf-8")
    )
    content = data[len(mark) :]
    try:
        text = content.decode(encoding, "surrogateescape" if exact else "strict")
    except UnicodeDecodeError as error:
        raise DataError(_not_text(file, content, encoding, error.start)) from error
    if not exact and "\0" in text:
        raise DataError(_zero(file, text))
    return text


def split_lines(text: str) -> list[str]:
    """Split text into lines as an editor numbers them, each with its end."""
    return list(io.StringIO(text, newline=""))


def count_breaks(text: str) -> int:
    """Count line ends: a line feed, a carriage return, or both after each other."""
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def _not_text(file: Path, content: bytes, encoding: str, start: int) -> str:
    """Say where the bytes stop to be text; Excel writes Windows-1252 unless told otherwise."""
    before = content[:start].decode(encoding, "replace")
    where = name_place(file, count_breaks(before) + 1)
    if encoding != "utf-8":
        return f"{where}: the bytes are no {encoding.upper()} text; save the table as UTF-8."
    line = content[content.rfind(b"\n", 0, start) + 1 :].split(b"\n", 1)[0]
    column = start - (content.rfind(b"\n", 0, start) + 1)
    near = line[max(0, column - 20) : column + 20].decode("cp1252", "replace").strip()
    return (
        f"{where}: byte {column + 1} of the line (0x{content[start]:02X}) is no UTF-8 text. In "
        f"Windows-1252, which Excel writes as plain CSV, it reads {near!r}. Save the table as "
        "'CSV UTF-8'."
    )


def _check_width(file: Path, data: bytes) -> None:
    if data and data.count(0) >= _WIDE_SHARE * len(data):
        raise DataError(
            f"{file} looks like UTF-16 or UTF-32 text without a byte-order mark; save the table as "
            "UTF-8."
        )


def _zero(file: Path, text: str) -> str:
    at = text.index("\0")
    start = max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1
    where = name_place(file, count_breaks(text[:at]) + 1)
    return (
        f"{where}: character {at - start + 1} of the line is a zero (NUL), which no text holds; "
        "the file may be damaged. Write it again."
    )
