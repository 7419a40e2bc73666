r"""Text that can be shown anywhere: what cannot be seen is written as `\uXXXX`.

Names come from file systems, tables and other people. They may hold codes that move the cursor or
colour a terminal, marks that turn the direction of writing, line breaks, and halves of characters
(surrogates), which stand for bytes that are no text. All of these are written with the notation of
JSON: `\u001b`. Two names that differ still differ afterwards, and JSON stays JSON with the same
meaning.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from re import Match

_BEYOND = 0x10000
_LAST = (0xFFFE, 0xFFFF)  # of each plane: never characters
# Controls, invisible marks, marks of direction, line separators, surrogates, and code points that
# are no characters. The joiners U+200C and U+200D are needed to write Persian, Hindi and emoji.
_CLASS = (
    "{controls}\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f"
    + "".join(chr(plane + last) for plane in range(_BEYOND, 0x110000, _BEYOND) for last in _LAST)
)
_HIDDEN = re.compile("[" + _CLASS.format(controls="\x00-\x1f") + "]")
_HIDDEN_IN_LINES = re.compile("[" + _CLASS.format(controls="\x00-\x08\x0b-\x1f") + "]")
_SURROGATES = re.compile("[\ud800-\udfff]")

ERRORS = "promptreid.written_out"


def visible(text: str) -> str:
    """Make a text, such as the name of a file, fit for one line: line breaks are written out."""
    return _HIDDEN.sub(_written_out, text)


def visible_lines(text: str) -> str:
    """Make a message fit for several lines: line feeds and tabs stay."""
    return _HIDDEN_IN_LINES.sub(_written_out, text)


def encodable(text: str) -> str:
    """Write out what UTF-8 cannot hold, and nothing else."""
    return _SURROGATES.sub(_written_out, text)


def written_out(text: str) -> str:
    r"""Write characters as `\uXXXX`, one beyond the basic plane as two of them, as JSON does."""
    return "".join(_units(character) for character in text)


def visible_tree(tree: Any) -> Any:
    """Copy values as JSON has them, with all texts in them fit for one line."""
    if isinstance(tree, str):
        return visible(tree)
    if isinstance(tree, Mapping):
        return {visible_tree(key): visible_tree(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(visible_tree(value) for value in tree)
    return tree


def register_errors() -> None:
    """Let `errors=ERRORS` write out what an encoding cannot hold; may be called again."""
    codecs.register_error(ERRORS, _replace)


def _written_out(match: Match[str]) -> str:
    return written_out(match.group())


def _units(character: str) -> str:
    code = ord(character)
    if code < _BEYOND:
        return f"\\u{code:04x}"
    high, low = divmod(code - _BEYOND, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return written_out(error.object[error.start : error.end]), error.end
