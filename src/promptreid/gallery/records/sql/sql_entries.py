"""Entries: what is known of enrolled images, who they show, and taking them out again."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promptreid.errors import GalleryError
from promptreid.gallery.gallery_errors import NotEnrolledError
from promptreid.gallery.records.record_rows import (
    EARLIEST_TIME,
    LATEST_TIME,
    EntryRow,
    NewEntry,
    NewVector,
    Picture,
)
from promptreid.gallery.records.sql.sql_audit import SqlAudit
from promptreid.gallery.records.sql.sql_identities import SqlIdentities
from promptreid.gallery.records.sql.sql_models import SqlModels

_AT_A_TIME = 4096
_COLUMNS = (
    "entry, content_hash, identity, camera, time, domain, attributes, path, box, hidden, version"
)


class SqlEntries(SqlModels, SqlIdentities, SqlAudit):
    """The part of the records that knows what is enrolled."""

    def find_known(self, hashes: Sequence[str]) -> dict[str, str]:
        """Return the names of the identities that some contents are enrolled as, by hash."""
        rows = self.execute(
            "SELECT content_hash, name FROM entries JOIN identities USING (identity) "
            f"WHERE {self.among('content_hash')}",
            self.to_list(hashes),
        )
        return dict(rows)

    def find_entries(self, hashes: Sequence[str]) -> dict[str, int]:
        """Return the numbers of the entries that hold some contents, by hash."""
        rows = self.execute(
            f"SELECT content_hash, entry FROM entries WHERE {self.among('content_hash')}",
            self.to_list(hashes),
        )
        return dict(rows)

    def add(self, entries: Sequence[NewEntry]) -> list[int]:
        """Enrol images that are not yet there, with vectors of the model that is searched."""
        known = self.find_known([entry.content_hash for entry in entries])
        first_by_hash = {entry.content_hash: entry for entry in reversed(entries)}
        new = [
            entry
            for entry in entries
            if entry.content_hash not in known and first_by_hash[entry.content_hash] is entry
        ]
        self.check_vectors(None, [NewVector(0, entry.vector, entry.text_vector) for entry in new])
        for entry in new:
            if entry.time is not None and not EARLIEST_TIME <= entry.time <= LATEST_TIME:
                raise GalleryError(
                    f"{entry.time} is no time; allowed are seconds since 1970, years 1 to 9999, "
                    "or None where it is not known."
                )
        identities = self.find_or_make_identities([entry.identity for entry in new])
        model, revision = self.find_model(), self.revision()
        numbers = self.take_numbers("entry", len(new))
        numbered = list(zip(numbers, new, strict=True))
        self.insert_entries(
            [
                EntryRow(
                    number, entry.content_hash, identities[entry.identity], entry.camera,
                    entry.time, entry.domain, entry.attributes, entry.path, entry.box,
                    hidden=False, version=revision,
                )
                for number, entry in numbered
            ]
        )  # fmt: skip
        self.insert_crops(
            [(number, entry.crop, revision) for number, entry in numbered if entry.crop is not None]
        )
        self.put_entry_vectors("vectors", model, [(one, entry.vector) for one, entry in numbered])
        self.put_entry_vectors(
            "text_vectors",
            model,
            [(one, row.text_vector) for one, row in numbered if row.text_vector is not None],
        )
        return numbers

    def insert_entries(self, rows: Sequence[EntryRow]) -> None:
        """Write entries as they are given, without crops and vectors."""
        self.execute_many(
            f"INSERT INTO entries ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    row.entry, row.content_hash, row.identity, row.camera, row.time, row.domain,
                    json.dumps(dict(row.attributes)), row.path, row.box, row.hidden, row.version,
                )
                for row in rows
            ],
        )  # fmt: skip

    @abstractmethod
    def insert_crops(self, crops: Sequence[tuple[int, bytes, int]]) -> None:
        """Write crops, each with the number of its entry and the version of that."""

    def count_entries(self) -> int:
        """Return the number of entries, the hidden ones included."""
        return self.execute("SELECT count(*) FROM entries")[0][0]

    def entries(
        self, since: int = -1, *, model: str | None = None, text: bool = False
    ) -> Iterator[tuple[EntryRow, NDArray[np.float32] | None]]:
        """Give entries that changed after a revision, by number, each with its vector."""
        columns = ", ".join(f"entries.{name}" for name in _COLUMNS.split(", "))
        table, last, number = "text_vectors" if text else "vectors", 0, self.find_model(model)
        while True:
            rows = self.execute(
                f"SELECT {columns}, vector FROM {self.name_changed_entries(since)} "
                f"LEFT JOIN {table} ON {table}.entry = entries.entry AND model = ? "
                "WHERE entries.version > ? AND entries.entry > ? ORDER BY entries.entry LIMIT ?",
                number, since, last, _AT_A_TIME,
            )  # fmt: skip
            for *values, vector in rows:
                yield self.read_entry(values), self.open_vector(vector, "entry", values[0])
            if len(rows) < _AT_A_TIME:
                return
            last = rows[-1][0]

    def name_changed_entries(self, since: int) -> str:
        """Return the table `entries` as it is named where those after a revision are wanted."""
        return "entries"

    def read_entry(self, values: Sequence[Any]) -> EntryRow:
        """Return the columns of an entry as a row.

        Raises:
            StoreFailedError: They are not what was written.
        """
        *front, attributes, path, box, hidden, version = values
        return EntryRow(*front, json.loads(attributes), path, box, bool(hidden), version)

    def entry_rows(self, entries: Iterable[int]) -> list[EntryRow]:
        """Return single entries, by number; those that are not there are left out."""
        rows = self.execute(
            f"SELECT {_COLUMNS} FROM entries WHERE {self.among('entry')} ORDER BY entry",
            self.to_list(entries),
        )
        return [self.read_entry(row) for row in rows]

    def deleted(self, since: int = -1) -> list[int]:
        """Return the numbers of entries that were deleted after a revision, ascending."""
        rows = self.execute("SELECT entry FROM deleted WHERE version > ? ORDER BY entry", since)
        return [row[0] for row in rows]

    def entries_by_identity(self, identity: int) -> list[int]:
        """Return the numbers of an identity's entries, ascending."""
        rows = self.execute("SELECT entry FROM entries WHERE identity = ? ORDER BY entry", identity)
        return [row[0] for row in rows]

    def picture(self, entry: int) -> Picture:
        """Return where the pixels of an entry are."""
        rows = self.execute(
            "SELECT content_hash, content, path, box FROM entries LEFT JOIN crops USING (entry) "
            "WHERE entry = ?",
            entry,
        )
        if not rows:
            raise NotEnrolledError(f"There is no entry {entry} in {self.place}.")
        return Picture(*rows[0])

    def stored_bytes(self, entry: int) -> list[bytes]:
        """Return what the store holds of an entry: crop, vectors, payloads of audit records."""
        rows = self.execute("SELECT content FROM crops WHERE entry = ?", entry)
        vectors = [
            row[0]
            for table in ("vectors", "text_vectors")
            for row in self.execute(f"SELECT vector FROM {table} WHERE entry = ?", entry)
        ]
        contents = [*(row[0] for row in rows), *map(self.strip_vector, vectors)]
        return [*contents, *self.payload_bytes(entry)]

    def move(self, entries: Iterable[int], identity: int) -> None:
        """Put entries under another identity; one that is left without any is removed."""
        chosen = self._touch(entries)
        self.execute(
            f"UPDATE entries SET identity = ? WHERE {self.among('entry')}", identity, chosen
        )
        self.touch_identity(identity)
        self.remove_empty_identities()

    def set_hidden(self, entries: Iterable[int], *, hidden: bool) -> None:
        """Take entries out of answers, or into them again."""
        chosen = self._touch(entries)
        self.execute(f"UPDATE entries SET hidden = ? WHERE {self.among('entry')}", hidden, chosen)

    def delete(self, entries: Iterable[int]) -> list[int]:
        """Delete entries with all that belongs to them; `compact` is due afterwards."""
        numbers = sorted(entries)
        chosen, payloads = self._touch(numbers), self.delete_payloads(numbers)
        self.execute(
            f"INSERT INTO deleted SELECT entry, ? FROM entries WHERE {self.among('entry')}",
            self.revision(),
            chosen,
        )
        for table in ("null_sample", "entries"):  # the rest goes with the entries
            self.execute(f"DELETE FROM {table} WHERE {self.among('entry')}", chosen)
        self.require_compaction()
        self.remove_empty_identities()
        return payloads

    def _touch(self, entries: Iterable[int]) -> object:
        """Give entries and their identities the version of this transaction; return their list."""
        chosen, revision = self.to_list(sorted(entries)), self.revision()
        self.execute(
            "UPDATE identities SET version = ? WHERE identity IN "
            f"(SELECT identity FROM entries WHERE {self.among('entry')})",
            revision,
            chosen,
        )
        self.execute(
            f"UPDATE entries SET version = ? WHERE {self.among('entry')}", revision, chosen
        )
        return chosen
