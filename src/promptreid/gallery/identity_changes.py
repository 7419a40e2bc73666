"""Naming, merging, splitting and hiding what is enrolled; each is one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from promptreid.errors import GalleryError
from promptreid.gallery.gallery_errors import ChangedSinceError, NotEnrolledError
from promptreid.gallery.opened_gallery import OpenedGallery
from promptreid.gallery.records.record_rows import (
    EntryRow,
    IdentityRow,
    ModelRow,
    NegativeRow,
    Picture,
)
from promptreid.gallery.records.record_store import Records


class IdentityChanges(OpenedGallery):
    """The part of a gallery that changes who is enrolled as what.

    An identity is named by its name or its number. Changes of it take the version of it that was
    seen, where one was, and are refused if somebody has changed it since (`ChangedSinceError`).
    """

    def revision(self) -> int:
        """Return the number of the last change."""
        with self._lock:
            return self.records.revision()

    def model_row(self) -> ModelRow | None:
        """Return the model whose vectors are searched now; None before the first."""
        with self._lock:
            return self.records.model()

    def find_covers(self, identities: Sequence[int]) -> dict[int, int]:
        """Return the first entry of each identity, by the identity's number."""
        with self._lock, self.records.reading():
            entries = {one: self.records.entries_by_identity(one) for one in identities}
        return {identity: numbers[0] for identity, numbers in entries.items() if numbers}

    def identities(self, after: int = 0, limit: int | None = None) -> list[IdentityRow]:
        """Return who is enrolled, in the order of enrolment, everybody or page by page.

        Args:
            after: Only those of higher numbers, such as that of the last one of a page.
            limit: How many at most; None for all.
        """
        with self._lock:
            return self.records.identities(after, limit)

    def identity_rows(self, identities: Sequence[int]) -> list[IdentityRow]:
        """Return single identities, by number; those that are not there are left out."""
        with self._lock:
            return self.records.identity_rows(identities)

    def find_identities(self, words: str) -> list[int]:
        """Return the numbers of those whose name and note hold all of some words, ascending."""
        wanted = words.casefold().split()
        with self._lock, self.records.reading():
            names, notes = self.records.names(), self.records.notes()
        texts = {
            number: f"{name}\n{notes.get(number, '')}".casefold()
            for number, name in sorted(names.items())
        }
        return [number for number, text in texts.items() if all(word in text for word in wanted)]

    def count(self) -> tuple[int, int]:
        """Return how many identities and how many images are enrolled."""
        with self._lock, self.records.reading():
            return self.records.count_identities(), self.records.count_entries()

    def identity(self, identity: str | int) -> IdentityRow:
        """Return somebody who is enrolled.

        Raises:
            NotEnrolledError: There is no such identity.
        """
        with self._lock:
            return find_identity(self.records, identity)

    def entries(self, identity: str | int) -> list[EntryRow]:
        """Return an identity's entries, in the order of enrolment.

        Raises:
            NotEnrolledError: There is no such identity.
        """
        with self._lock, self.records.reading():
            number = find_identity(self.records, identity).identity
            return self.records.entry_rows(self.records.entries_by_identity(number))

    def entry_rows(self, entries: Sequence[int]) -> list[EntryRow]:
        """Return single entries, by number; those that are not there are left out."""
        with self._lock:
            return self.records.entry_rows(entries)

    def picture(self, entry: int) -> Picture:
        """Return where the pixels of an entry are.

        Raises:
            NotEnrolledError: There is no such entry.
        """
        with self._lock:
            return self.records.picture(entry)

    def name(self, identity: str | int, name: str, *, seen: int | None = None) -> None:
        """Give an identity another name.

        Raises:
            GalleryError: There is no such identity, the name is another's or empty, or the identity
                is not as it was `seen`.
        """
        with self._lock, self._state.changing(self.records):
            row = find_identity(self.records, identity, seen=seen)
            self.records.rename(row.identity, check_name(name))

    def note(self, identity: str | int, note: str, *, seen: int | None = None) -> None:
        """Write an identity's note; raises as `name` does."""
        with self._lock, self._state.changing(self.records):
            row = find_identity(self.records, identity, seen=seen)
            self.records.set_note(row.identity, note)

    def merge(self, identity: str | int, into: str | int, *, seen: int | None = None) -> None:
        """Put all images of an identity under another; the first is gone.

        Negative examples of either are those of both. One that shows the other is none any more.

        Raises:
            GalleryError: One of them is not there, both are one, or the first is not as it was
                `seen`.
        """
        with self._lock, self._state.changing(self.records):
            row = find_identity(self.records, identity, seen=seen)
            other = find_identity(self.records, into)
            if row.identity == other.identity:
                raise GalleryError(f"{row.name!r} cannot be merged into itself.")
            self.records.move_negatives(row.identity, other.identity)
            self.records.move(self.records.entries_by_identity(row.identity), other.identity)
            contradicted = find_contradictions(self.records, other.identity)
            if contradicted:
                self.records.remove_negatives(row.negative for row in contradicted)

    def split(
        self, identity: str | int, entries: Sequence[int], name: str, *, seen: int | None = None
    ) -> None:
        """Put some images of an identity under a new one.

        Raises:
            GalleryError: An entry is not the identity's, none would be left, the name is there
                already, or the identity is not as it was `seen`.
        """
        with self._lock, self._state.changing(self.records):
            row = find_identity(self.records, identity, seen=seen)
            own = self.records.entries_by_identity(row.identity)
            foreign = sorted(set(entries) - set(own))
            if foreign or not entries:
                raise GalleryError(f"{row.name!r} has the entries {own}, not {foreign}.")
            if len(set(entries)) == len(own):
                raise GalleryError(
                    f"All images of {row.name!r} are meant; give it a new name instead."
                )
            self.records.move(entries, self.records.make_identity(check_name(name)))

    def hide(
        self,
        identity: str | int | None = None,
        entries: Sequence[int] = (),
        *,
        seen: int | None = None,
    ) -> int:
        """Take an identity, or single entries, out of every answer; `unhide` undoes it.

        Returns:
            The number of images.

        Raises:
            GalleryError: There is no such identity or entry, or the identity is not as it was
                `seen`.
        """
        return self._set_hidden(identity, entries, seen, hidden=True)

    def unhide(
        self,
        identity: str | int | None = None,
        entries: Sequence[int] = (),
        *,
        seen: int | None = None,
    ) -> int:
        """Let an identity, or single entries, answer again; as `hide`."""
        return self._set_hidden(identity, entries, seen, hidden=False)

    def _set_hidden(
        self,
        identity: str | int | None,
        entries: Sequence[int],
        seen: int | None,
        *,
        hidden: bool,
    ) -> int:
        with self._lock, self._state.changing(self.records):
            chosen = choose_entries(self.records, identity, entries, seen=seen)
            self.records.set_hidden(chosen, hidden=hidden)
        return len(chosen)


def find_identity(records: Records, identity: str | int, *, seen: int | None = None) -> IdentityRow:
    """Return an identity by name or number.

    Raises:
        NotEnrolledError: There is none.
        ChangedSinceError: It is not as it was `seen`.
    """
    if isinstance(identity, int):
        row = records.identity_by_number(identity)
    else:
        row = records.identity(identity)
    if seen is not None and row.version != seen:
        raise ChangedSinceError(
            f"{row.name!r} was changed since it was looked at (version {row.version}, seen "
            f"{seen}). Look again, then decide."
        )
    return row


def find_contradictions(records: Records, identity: int) -> list[NegativeRow]:
    """Return negative examples of an identity that are enrolled as that identity by now."""
    own = set(records.entries_by_identity(identity))
    return [row for row in records.negatives() if row.identity == identity and row.entry in own]


def check_name(name: str) -> str:
    """Return a name without the space around it.

    Raises:
        GalleryError: Nothing is left.
    """
    if not name.strip():
        raise GalleryError("The name of an identity is empty.")
    return name.strip()


def choose_entries(
    records: Records,
    identity: str | int | None,
    entries: Sequence[int],
    *,
    seen: int | None = None,
) -> list[int]:
    """Return the numbers of an identity's entries, or of single ones.

    Raises:
        NotEnrolledError: There is no such identity or entry.
        ChangedSinceError: The identity is not as it was `seen`.
        GalleryError: Both or neither are named.
    """
    if (identity is None) == (not entries):
        raise GalleryError("Name either an identity or entries.")
    if identity is not None:
        row = find_identity(records, identity, seen=seen)
        return records.entries_by_identity(row.identity)
    chosen = [row.entry for row in records.entry_rows(entries)]
    missing = sorted(set(entries) - set(chosen))
    if missing:
        raise NotEnrolledError(f"There is no entry {missing[0]} in {records.place}.")
    return chosen
