"""What every store of records can do; one suite of tests holds for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.records.record_rows import (
    EntryColumns,
    EntryRow,
    IdentityRow,
    ModelRow,
    NewEntry,
    NullRow,
    Picture,
)


class Records(Protocol):
    """All that a gallery must not lose.

    What changes them is called within `writing`, which commits all or nothing. Every transaction
    that writes has a number, the revision; what it changes carries that number as its version.
    """

    @property
    def place(self) -> str:
        """Where the records are, for people."""
        ...

    @property
    def derived(self) -> Path | None:
        """A folder for files that can be made anew, which need not be there; None for none.

        `find_bytes` looks for erased bytes in it, too.
        """
        ...

    def close(self) -> None:
        """Let go of the store."""

    def reading(self) -> AbstractContextManager[None]:
        """Let everything that is read within it be of one moment."""
        ...

    def writing(self) -> AbstractContextManager[None]:
        """Commit what is changed within it when it ends, or nothing where it raises.

        Raises:
            GalleryError: Another process has been writing for too long.
        """
        ...

    def revision(self) -> int:
        """Return the number of the last transaction that wrote."""
        ...

    def settings(self) -> Mapping[str, str]:
        """Return what the gallery was created with."""
        ...

    def model(self) -> ModelRow | None:
        """Return the model whose vectors are searched; None before the first."""
        ...

    def set_model(self, model: ModelRow) -> None:
        """Search the vectors of this model from now on."""

    def find_known(self, hashes: Sequence[str]) -> dict[str, str]:
        """Return the names of the identities that some contents are enrolled as, by hash."""
        ...

    def find_entries(self, hashes: Sequence[str]) -> dict[str, int]:
        """Return the numbers of the entries that hold some contents, by hash."""
        ...

    def add(self, entries: Sequence[NewEntry]) -> list[int]:
        """Enrol images that are not yet there, with vectors of the model that is searched.

        Returns:
            Their numbers, in order. An identity that is not there is made.

        Raises:
            GalleryError: There is no model, or a vector has another width.
        """
        ...

    def count_entries(self) -> int:
        """Return the number of entries, the hidden ones included."""
        ...

    def entries(self, since: int = -1) -> Iterator[tuple[EntryRow, NDArray[np.float32] | None]]:
        """Give entries that changed after a revision, by number, each with its vector if any.

        Only vectors of the model that is searched are given.
        """
        ...

    def entry_rows(self, entries: Iterable[int]) -> list[EntryRow]:
        """Return single entries, by number; those that are not there are left out."""
        ...

    def columns(self, since: int = -1) -> Iterator[EntryColumns]:
        """Give entries that changed after a revision, by number, in parts.

        Entries that came at a later revision have higher numbers.
        """
        ...

    def entry_numbers(self) -> NDArray[np.int64]:
        """Return the numbers of all entries, the hidden ones included, in no order."""
        ...

    def vectors(self, entries: Sequence[int]) -> NDArray[np.float32]:
        """Return vectors of the model that is searched, (N, width), for N entries in their order.

        A row is zero where an entry has none, or is not there.
        """
        ...

    def entries_by_identity(self, identity: int) -> list[int]:
        """Return the numbers of an identity's entries, ascending."""
        ...

    def picture(self, entry: int) -> Picture:
        """Return where the pixels of an entry are.

        Raises:
            NotEnrolledError: There is no such entry.
        """
        ...

    def stored_bytes(self, entry: int) -> list[bytes]:
        """Return what the store holds of an entry: its crop, and its vectors of all models."""
        ...

    def identities(self) -> list[IdentityRow]:
        """Return all identities, by number."""
        ...

    def names(self) -> dict[int, str]:
        """Return the name of each identity, by number."""
        ...

    def identity(self, name: str) -> IdentityRow:
        """Return an identity by name.

        Raises:
            NotEnrolledError: There is none; the closest names are given.
        """
        ...

    def identity_by_number(self, number: int) -> IdentityRow:
        """Return an identity by number.

        Raises:
            NotEnrolledError: There is none.
        """
        ...

    def make_identity(self, name: str) -> int:
        """Make an identity, and return its number.

        Raises:
            NameTakenError: There is one of that name.
        """
        ...

    def rename(self, identity: int, name: str) -> None:
        """Give an identity another name, which no other has."""

    def set_note(self, identity: int, note: str) -> None:
        """Write an identity's note."""

    def move(self, entries: Iterable[int], identity: int) -> None:
        """Put entries under another identity; one that is left without any is removed."""

    def set_hidden(self, entries: Iterable[int], *, hidden: bool) -> None:
        """Take entries out of answers, or into them again."""

    def delete(self, entries: Iterable[int]) -> None:
        """Delete entries with all that belongs to them, and identities that are left without any.

        `compact` is due afterwards, which a store remembers over a crash.
        """

    def null_rows(self) -> list[NullRow]:
        """Return the null sample of the model that is searched."""
        ...

    def put_null_rows(self, rows: Iterable[NullRow], removed: Iterable[int]) -> None:
        """Write rows of the null sample, and remove those of some identities."""

    @property
    def is_compaction_due(self) -> bool:
        """Whether bytes of what was deleted may still be in the store."""
        ...

    def compact(self) -> None:
        """Rewrite the store, so that no byte of what was deleted is left in it.

        Raises:
            GalleryError: Another process is using it; nothing was lost, and it stays due.
        """

    def find_bytes(self, pieces: Sequence[bytes]) -> list[bytes]:
        """Return those of some pieces that occur in the files of the store but in no entry."""
        ...

    def find_damage(self) -> list[str]:
        """Say what the store itself finds damaged, each as a sentence."""
        ...
