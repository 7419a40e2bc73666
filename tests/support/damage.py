"""Damaged bytes and texts, as hypothesis strategies that shrink to the least damage."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from promptreid.errors import PromptReIDError

TIMES = float(os.environ.get("FUZZ", "1"))
"""How much longer than usual the fuzz tests run."""

SECONDS = 5.0
"""No input may keep a reader computing for longer: processor time, which a busy machine keeps."""

ODD_CHARACTERS = (
    "\x00\x07\x1b\r\n\t\"';,|=*&%@!?:{}[]<>#-~`\\/.\u00e9\u0301\u200b\u202e\ufeff\ud800"
)
"""Characters that mean something to a parser, a terminal or a file system."""


def fuzz(examples: int) -> Callable[[Any], Any]:
    """Run a test with so many seeded examples, times `FUZZ`."""
    count = max(1, round(examples * TIMES))
    return settings(
        max_examples=count,
        derandomize=TIMES == 1,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def survives(read: Callable[[], Any]) -> Any:
    """Call a reader; what a user can mend is an answer too, anything else is a failure.

    Returns:
        What it returned, or the error as a sentence.
    """
    start = time.process_time()
    try:
        found = read()
    except (PromptReIDError, click.ClickException) as error:
        found = error
    took = time.process_time() - start
    assert took < SECONDS, f"{took:.1f} s"
    assert not isinstance(found, Exception) or str(found).strip(), f"{found!r} says nothing"
    return found


@dataclass(frozen=True)
class Edit:
    """One damage.

    Attributes:
        kind: "flip" a bit, "delete", "insert", "repeat", fill with "zeros", or "cut" the rest off.
        place: Where, as a part of the length.
        size: Number of the bit, or bytes concerned.
        content: Bytes to insert.
    """

    kind: str
    place: float
    size: int
    content: bytes = b""

    def apply(self, content: bytearray) -> None:
        """Damage bytes in place."""
        at = min(int(self.place * len(content)), len(content) - 1)
        if self.kind == "flip":
            content[at] ^= 1 << self.size % 8
        elif self.kind == "delete":
            del content[at : at + self.size]
        elif self.kind == "insert":
            content[at:at] = self.content
        elif self.kind == "repeat":
            content[at:at] = bytes(content[at : at + self.size]) * 3
        elif self.kind == "zeros":
            content[at : at + self.size] = bytes(min(self.size, len(content) - at))
        else:
            del content[at:]


edits = st.lists(
    st.builds(
        Edit,
        st.sampled_from(("flip", "delete", "insert", "repeat", "zeros", "cut")),
        st.floats(0, 1, exclude_max=True),
        st.sampled_from((1, 2, 3, 4, 5, 8, 16, 64)),
        st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=4,
)


def with_damage(source: bytes, changes: Sequence[Edit]) -> bytes:
    """Return damaged bytes."""
    content = bytearray(source)
    for edit in changes:
        if content:
            edit.apply(content)
    return bytes(content)


def damaged(source: bytes) -> st.SearchStrategy[bytes]:
    """Damage bytes at one to four places."""
    return edits.map(lambda changes: with_damage(source, changes))


@st.composite
def damaged_text(draw: st.DrawFn, source: str) -> bytes:
    """Like `damaged`, with more of what means something to a reader of text."""
    text = source
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        kind = draw(st.sampled_from(("insert", "word", "delete", "line")))
        if kind == "insert":
            text = text[:at] + draw(st.text(ODD_CHARACTERS, min_size=1, max_size=3)) + text[at:]
        elif kind == "word":
            text = text[:at] + draw(odd_words) + text[at:]
        elif kind == "delete":
            text = text[:at] + text[at + draw(st.integers(1, 12)) :]
        else:
            lines = text.split("\n")
            row = draw(st.integers(0, len(lines) - 1))
            lines.insert(draw(st.integers(0, len(lines))), lines[row])
            text = "\n".join(lines)
    return text.encode("utf-8", draw(st.sampled_from(("surrogatepass", "replace"))))


odd_words = st.sampled_from(
    (
        "9" * 5000,
        "-1",
        "1e999",
        "nan",
        ".inf",
        "0x" + "f" * 400,
        "1_000",
        "null",
        "~",
        "[]",
        "{}",
        "[[[[",
        "&a *a",
        "*b",
        "<<: *a",
        "!!python/name:os.system ",
        "!!int abc",
        "!!timestamp x",
        "2001-99-99",
        "!!binary =",
        "---\n",
        "...\n",
        "a: " * 40,
        "=cmd|' /C calc'!A0",
        "../../..",
        "~nosuchuser/",
        "C:\\",
        "%00",
        "\x1b[31m",
        " " * 300,
        "\U0001f600",
    )
)
