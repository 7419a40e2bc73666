"""The note of a run: a line for people on what it was for."""

from __future__ import annotations

from promptreid.errors import RunError
from promptreid.text.safe import visible

LONGEST = 500
"""Characters of a note."""


def clean_note(text: str) -> str:
    """Check a note and bring it onto one line; "" is one without words, which is none.

    Line breaks and runs of spaces become one space.

    Raises:
        RunError: It is too long, or holds characters that cannot be seen.
    """
    note = " ".join(text.split())
    if len(note) > LONGEST:
        raise RunError(
            f"The note has {len(note):,} characters; it may have {LONGEST}. Shorten it, and keep "
            "the whole story in a file of your own."
        )
    if visible(note) != note:
        raise RunError(
            f"The note holds characters that cannot be seen or are no text: '{visible(note)}'. "
            "Leave them out."
        )
    return note
