"""Naming, merging, splitting and hiding what is enrolled; each is one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from promptreid.errors import GalleryError
from promptreid.gallery.records.record_rows import EntryRow, IdentityRow
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.search_state import SearchState


class IdentityChanges:
    """The part of a gallery that changes who is enrolled as what.

    Changes of an identity take the version of it that was seen, where one was, and are refused if
    somebody has changed it since.

    Attributes:
        records: What must not be lost.
    """

    def __init__(self, records: Records, state: SearchState) -> None:
        """Take records, and what follows from them."""
        self.records = records
        self._state = state
        self._lock = state.lock

    def identities(self) -> list[IdentityRow]:
        """Return everybody who is enrolled, in the order of enrolment."""
        with self._lock:
            return self.records.identities()

    def entries(self, identity: str) -> list[EntryRow]:
        """Return an identity's entries, in the order of enrolment.

        Raises:
            GalleryError: There is no such identity.
        """
        with self._lock, self.records.reading():
            number = self.records.identity(identity).identity
            return [row for row, _ in self.records.entries() if row.identity == number]

    def name(self, identity: str, name: str, *, seen: int | None = None) -> None:
        """Give an identity another name.

        Raises:
            GalleryError: There is no such identity, the name is another's or empty, or the identity
                is not as it was `seen`.
        """
        with self._lock, self._state.changing(self.records):
            row = find_identity(self.records, identity, seen=seen)
            self.records.rename(row.identity, check_name(name))

    def note(self, identity: str, note: str, *, seen: int | None = None) -> None:
        """Write an identity's note; raises as `name` does."""
        with self._lock, self._state.changing(self.records):
            row = find_identity(self.records, identity, seen=seen)
            self.records.set_note(row.identity, note)

    def merge(self, identity: str, into: str, *, seen: int | None = None) -> None:
        """Put all images of an identity under another; the first is gone.

        Raises:
            GalleryError: One of them is not there, both are one, or the first is not as it was
                `seen`.
        """
        with self._lock, self._state.changing(self.records):
            row = find_identity(self.records, identity, seen=seen)
            other = self.records.identity(into)
            if row.identity == other.identity:
                raise GalleryError(f"{identity!r} cannot be merged into itself.")
            self.records.move(self.records.entries_by_identity(row.identity), other.identity)

    def split(
        self, identity: str, entries: Sequence[int], name: str, *, seen: int | None = None
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
                raise GalleryError(f"{identity!r} has the entries {own}, not {foreign}.")
            if len(set(entries)) == len(own):
                raise GalleryError(
                    f"All images of {identity!r} are meant; give it a new name instead."
                )
            self.records.move(entries, self.records.make_identity(check_name(name)))

    def hide(self, identity: str | None = None, entries: Sequence[int] = ()) -> int:
        """Take an identity, or single entries, out of every answer; `unhide` undoes it.

        Returns:
            The number of images.

        Raises:
            GalleryError: There is no such identity or entry.
        """
        return self._set_hidden(identity, entries, hidden=True)

    def unhide(self, identity: str | None = None, entries: Sequence[int] = ()) -> int:
        """Let an identity, or single entries, answer again; as `hide`."""
        return self._set_hidden(identity, entries, hidden=False)

    def _set_hidden(self, identity: str | None, entries: Sequence[int], *, hidden: bool) -> int:
        with self._lock, self._state.changing(self.records):
            chosen = choose_entries(self.records, identity, entries)
            self.records.set_hidden(chosen, hidden=hidden)
        return len(chosen)


def find_identity(records: Records, name: str, *, seen: int | None) -> IdentityRow:
    """Return an identity by name.

    Raises:
        GalleryError: There is none, or it is not as it was `seen`.
    """
    row = records.identity(name)
    if seen is not None and row.version != seen:
        raise GalleryError(
            f"{name!r} was changed since it was looked at (version {row.version}, seen {seen}). "
            "Look again, then decide."
        )
    return row


def check_name(name: str) -> str:
    """Return a name without the space around it.

    Raises:
        GalleryError: Nothing is left.
    """
    if not name.strip():
        raise GalleryError("The name of an identity is empty.")
    return name.strip()


def choose_entries(records: Records, identity: str | None, entries: Sequence[int]) -> list[int]:
    """Return the numbers of an identity's entries, or of single ones.

    Raises:
        GalleryError: There is no such identity or entry, or both or neither are named.
    """
    if (identity is None) == (not entries):
        raise GalleryError("Name either an identity or entries.")
    if identity is not None:
        return records.entries_by_identity(records.identity(identity).identity)
    for entry in entries:
        records.picture(entry)
    return sorted(set(entries))
