"""Changes that clients send as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

LARGEST_NUMBER = 2**53
"""Larger numbers are not whole any more in the JSON of browsers."""

LONGEST_NAME = 200
LONGEST_NOTE = 10_000


def _check_printable(text: str) -> str:
    """Return a name; control characters and lone surrogates are refused."""
    if not all(letter.isprintable() for letter in text):
        raise ValueError("holds characters that cannot be seen or printed")
    if not text.strip():
        raise ValueError("is empty")
    return text


def _check_encodable(text: str) -> str:
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("holds characters that no text has")
    return text


Name = Annotated[
    str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_check_printable)
]
Text = Annotated[str, Field(max_length=LONGEST_NOTE), AfterValidator(_check_encodable)]
Number = Annotated[int, Field(ge=1, le=LARGEST_NUMBER)]
Version = Annotated[int, Field(ge=0, le=LARGEST_NUMBER)]


class _Change(BaseModel):
    model_config = ConfigDict(extra="forbid")

    seen: Version | None = Field(
        default=None,
        description="The version that was looked at; or send it as `If-Match`. One of both must be "
        "there; `If-Match: *` changes whatever is there.",
    )


class SeenChange(_Change):
    """A change that needs to say nothing but what was looked at."""


class NameChange(_Change):
    """Another name."""

    name: Name


class NoteChange(_Change):
    """Another note."""

    note: Text


class MergeChange(_Change):
    """The identity that all pictures go to."""

    into: Number


class SplitChange(_Change):
    """Pictures that go to a new identity."""

    entries: list[Number] = Field(min_length=1, max_length=10_000)
    name: Name


class EntriesChange(BaseModel):
    """Single pictures."""

    model_config = ConfigDict(extra="forbid")

    entries: list[Number] = Field(min_length=1, max_length=10_000)
