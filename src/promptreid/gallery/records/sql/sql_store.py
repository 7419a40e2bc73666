"""Statements of SQL, and the few words in which one system's SQL differs from the other's."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Sequence
from typing import Any

from promptreid.errors import GalleryError
from promptreid.gallery.gallery_errors import StoreFailedError, StoreInUseError

ALL = 1 << 62
"""A limit for as many rows as there are."""


CONTENTS = (
    ("vectors", "vector"),
    ("text_vectors", "vector"),
    ("crops", "content"),
    ("negative_vectors", "vector"),
    ("negatives", "crop"),
)
"""Tables and columns of bytes that may be those of something erased, too."""

TEXTS = (
    ("audit_payloads", "payload"),
    ("audit_payloads", "input_hash"),
    ("identities", "name"),
    ("entries", "content_hash"),
    ("entries", "path"),
    ("negatives", "content_hash"),
    ("negatives", "path"),
    ("models", "fingerprint"),
)
"""Tables and columns of text, likewise."""


def refuse_text(place: str, error: UnicodeEncodeError) -> GalleryError:
    """Return what is said of a name or path that is no Unicode, which no store can keep."""
    return GalleryError(
        f"{place} cannot keep the text {error.object!r}: it is no Unicode. Nothing was "
        "changed; give it another name."
    )


@contextlib.contextmanager
def keeping_rewriting_due(place: str) -> Generator[None]:
    """Say, where rewriting a store fails, what became of that which was deleted before.

    Raises:
        StoreInUseError: Another process is using it.
        StoreFailedError: It cannot be written.
    """
    try:
        yield
    except (StoreInUseError, StoreFailedError) as error:
        raise type(error)(
            f"What was deleted of {place} is gone from it, but its bytes may still be in its "
            f"files, which could not be rewritten. {error} The next opening tries it again, and so "
            f"does: promptreid gallery check {place} --mend."
        ) from error


class SqlStore(ABC):
    """A store that runs statements; values are never put into their text."""

    @property
    @abstractmethod
    def place(self) -> str:
        """Where the records are, for people."""

    @abstractmethod
    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement, in which `?` stands for a value, and return its rows."""

    @abstractmethod
    def execute_many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement for each of some rows of values."""

    @abstractmethod
    def revision(self) -> int:
        """Return the number of the last transaction that wrote."""

    @abstractmethod
    def among(self, column: str) -> str:
        """Return the condition that a column is in a list, for which one `?` stands."""

    @abstractmethod
    def to_list(self, values: Iterable[object]) -> object:
        """Return values as what stands for such a list."""

    @staticmethod
    @abstractmethod
    def as_bytes(column: str) -> str:
        """Return the expression for the bytes of a column of text."""

    def list_contents(self) -> list[tuple[str, str]]:
        """Return where bytes of records stand that may be those of something erased too.

        Returns:
            Names of tables, each with an expression for bytes.
        """
        return [*CONTENTS, *((table, self.as_bytes(column)) for table, column in TEXTS)]

    @abstractmethod
    def take_numbers(self, what: str, count: int) -> list[int]:
        """Return numbers that were never given before, ascending, to be used in this transaction.

        Args:
            what: "model", "identity", "entry" or "negative".
            count: How many.
        """

    @abstractmethod
    def require_compaction(self) -> None:
        """Remember that bytes of what is deleted may be in the store until `compact`.

        What is remembered is the revision, so that who rewrites the store does not take back what
        another remembers meanwhile.
        """

    def stamp(self, revision: int | None = None) -> str | None:
        """Return the random stamp of a transaction; None where it is not known any more."""
        chosen = self.revision() if revision is None else revision
        rows = self.execute("SELECT stamp FROM stamps WHERE revision = ?", chosen)
        return rows[0][0] if rows else None

    def settings(self) -> dict[str, str]:
        """Return the settings of the gallery."""
        rows = self.execute("SELECT key, value FROM facts WHERE key LIKE 'setting.%'")
        return {key.removeprefix("setting."): value for key, value in rows}

    def touch_identity(self, identity: int) -> None:
        """Give an identity the version of this transaction."""
        self.execute(
            "UPDATE identities SET version = ? WHERE identity = ?", self.revision(), identity
        )
