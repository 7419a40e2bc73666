"""Data is named `NAME:ROOT[?key=value&…]`; this file takes such a name apart."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from promptreid.errors import ConfigError
from promptreid.text.safe import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

_BYTES = "surrogateescape"  # file names may hold bytes that are no text
_MARK = re.compile("%(?:25)?3F", re.IGNORECASE)
_WRITTEN = {"%3F": "?", "%253F": "%3F"}
_EXAMPLE = "Write NAME:ROOT[?key=value&…], for example market1501:/data/Market-1501-v15.09.15"


@dataclass(frozen=True)
class DataSpec:
    """A parsed data name.

    Attributes:
        name: Name of the data set, which selects the reader.
        root: Folder or file, as written.
        options: The reader's options, as written.
    """

    name: str
    root: str
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __str__(self) -> str:
        """Write the spec so that `parse_spec` gives it back."""
        options = "&".join(
            f"{key}={quote(value, safe='/:,. ~', errors=_BYTES)}"
            for key, value in self.options.items()
        )
        root = _MARK.sub(lambda mark: "%25" + mark.group()[1:], self.root).replace("?", "%3F")
        return f"{self.name}:{root}" + (f"?{options}" if options else "")


def parse_spec(text: str) -> DataSpec:
    """Take a data name apart.

    Args:
        text: `NAME:ROOT[?key=value&…]`. The root ends at the first `?`; one that is part of it is
            written `%3F`. In values `%XX` stands for a byte, so `%26` writes an ampersand.

    Returns:
        Name, root and options; nothing is looked up.

    Raises:
        ConfigError: When a part is missing, an option is given twice, or the text holds a zero byte
            or half a character.
    """
    if "\0" in text or not _names_files(text):
        raise ConfigError(f"{visible(text)!r} holds what the name of no file can hold.")
    name, colon, rest = text.strip().partition(":")
    root, _, query = rest.partition("?")
    name, root = name.strip(), root.strip()
    if not colon or not name or "/" in name or "\\" in name:
        raise ConfigError(
            f"{text!r} does not start with the name of a data set. {_suggest_reader(text)}"
        )
    if not root:
        raise ConfigError(f"{text!r} does not say where {name!r} lies. {_EXAMPLE}.")
    options: dict[str, str] = {}
    for part in query.split("&") if query else []:
        key, equals, value = part.partition("=")
        key = key.strip()
        if not equals or not key:
            raise ConfigError(
                f"In {text!r}, {part!r} is no option of the form key=value. A ? that belongs to "
                "the path is written %3F."
            )
        if key in options:
            raise ConfigError(f"In {text!r}, the option {key!r} is given twice.")
        options[key] = unquote(value.strip(), errors=_BYTES)
        if "\0" in options[key]:
            raise ConfigError(f"In {text!r}, the option {key!r} holds a zero byte.")
    root = _MARK.sub(lambda mark: _WRITTEN[mark.group().upper()], root)
    return DataSpec(name, root, options)


def _names_files(text: str) -> bool:
    """Tell whether the system can make bytes of a text, as it does of file names."""
    try:
        text.encode("utf-8", _BYTES)
    except UnicodeEncodeError:
        return False
    return True


def _suggest_reader(text: str) -> str:
    """Say what to write in the place of a path alone."""
    with contextlib.suppress(OSError):  # a name that is too long for any file
        if text and Path(text).is_dir():
            return (
                f"Write NAME:ROOT, here folder:{text} if it holds one folder of pictures for each "
                "identity; `promptreid data list` names the readers of published sets."
            )
        if Path(text).is_file() and Path(text).suffix.lower() == ".csv":
            return f"Write NAME:ROOT, here csv:{text}."
    return f"{_EXAMPLE} (a table is csv:FILE, a folder with one folder per identity is folder:DIR)."
