"""What every store of records can do; one suite of tests holds for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.records.audit_store import AuditStore
from promptreid.gallery.records.record_rows import (
    EntryColumns,
    EntryRow,
    IdentityRow,
    NewEntry,
    Picture,
)
from promptreid.gallery.records.restoring_store import RestoringStore
from promptreid.gallery.records.vector_store import VectorStore


class Records(VectorStore, AuditStore, RestoringStore, Protocol):
    """All that a gallery must not lose.

    What changes them is called within `writing`, which commits all or nothing. Every transaction
    that writes has a number, the revision; what it changes carries that number as its version.
    Numbers of entries, identities and negative examples are never used again.
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

    def stamp(self, revision: int | None = None) -> str | None:
        """Return the random stamp of a transaction; None where it is not known any more.

        Two stores of which a revision has the same stamp held the same then, whatever was copied
        or taken from a backup since. Stamps of the last 1,000 transactions are kept.

        Args:
            revision: Number of the transaction; the last by default.
        """
        ...

    def settings(self) -> Mapping[str, str]:
        """Return the settings of the gallery."""
        ...

    def set_setting(self, key: str, value: str) -> None:
        """Write a setting of the gallery."""

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

    def entries(
        self, since: int = -1, *, model: str | None = None, text: bool = False
    ) -> Iterator[tuple[EntryRow, NDArray[np.float32] | None]]:
        """Give entries that changed after a revision, by number, each with its vector if any.

        Args:
            since: The revision.
            model: Fingerprint of the model whose vectors are given; that which is searched by
                default.
            text: Whether vectors that compare with texts are given instead.
        """
        ...

    def entry_rows(self, entries: Iterable[int]) -> list[EntryRow]:
        """Return single entries, by number; those that are not there are left out."""
        ...

    def deleted(self, since: int = -1) -> list[int]:
        """Return the numbers of entries that were deleted after a revision, ascending."""
        ...

    def columns(self, since: int = -1, *, model: str | None = None) -> Iterator[EntryColumns]:
        """Give entries that changed after a revision, by number, in parts.

        Entries that came at a later revision have higher numbers.

        Args:
            since: The revision.
            model: Fingerprint of the model whose vectors make an entry usable; that which is
                searched by default.
        """
        ...

    def entry_numbers(self) -> NDArray[np.int64]:
        """Return the numbers of all entries, the hidden ones included, in no order."""
        ...

    def vectors(self, entries: Sequence[int], *, model: str | None = None) -> NDArray[np.float32]:
        """Return vectors of a model, (N, width), for N entries in their order.

        A row is zero where an entry has none, or is not there.

        Args:
            entries: N numbers.
            model: Fingerprint of the model; that which is searched by default.
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
        """Return what the store holds of an entry.

        That is its crop, its vectors of all models, and the payloads of audit records that name it
        or were asked about its content.
        """
        ...

    def identities(self, after: int = 0, limit: int | None = None) -> list[IdentityRow]:
        """Return identities, by number.

        Args:
            after: Only those of higher numbers.
            limit: How many at most; None for all.
        """
        ...

    def identity_rows(self, identities: Iterable[int]) -> list[IdentityRow]:
        """Return single identities, by number; those that are not there are left out."""
        ...

    def count_identities(self) -> int:
        """Return the number of identities."""
        ...

    def notes(self) -> dict[int, str]:
        """Return the notes that are not empty, by number of the identity."""
        ...

    def names(self, since: int = -1) -> dict[int, str]:
        """Return names by number, of identities that are new or other since a revision or in it."""
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
        """Put entries under another identity; one that is left without any is removed.

        Its negative examples go with it; `move_negatives` saves them before.
        """

    def set_hidden(self, entries: Iterable[int], *, hidden: bool) -> None:
        """Take entries out of answers, or into them again."""

    def delete(self, entries: Iterable[int]) -> list[int]:
        """Delete entries with all that belongs to them, and identities that are left without any.

        What belongs to them: crops, vectors of all models, negative examples that they are or that
        are of a removed identity, and the payloads (not the links) of audit records that name them
        or were asked about their content. `compact` is due afterwards, which a store remembers over
        a crash.

        Returns:
            Numbers of the audit records whose payload was deleted, ascending.
        """
        ...

    def refuse(self, digests: Iterable[str]) -> None:
        """Remember digests of contents that must not be enrolled again."""

    def allow(self, digests: Iterable[str]) -> None:
        """Forget digests that `refuse` took."""

    def refused(self, among: Sequence[str] | None = None) -> set[str]:
        """Return those of some digests that are refused; all of them by default."""
        ...

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
        """Return those of some pieces that occur in the files of the store but in no record.

        Files that cannot be read are left out; `searched_place` says which are read.
        """
        ...

    @property
    def searched_place(self) -> str:
        """Where `find_bytes` looks, in words: "any file of people.gallery"."""
        ...

    def find_damage(self) -> list[str]:
        """Say what the store itself finds damaged, each as a sentence."""
        ...
