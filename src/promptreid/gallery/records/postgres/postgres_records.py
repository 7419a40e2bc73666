"""Records in a schema of a PostgreSQL database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.gallery_errors import NotEnrolledError
from promptreid.gallery.records.postgres.postgres_audit import PostgresAudit
from promptreid.gallery.records.postgres.postgres_erasure import PostgresErasure
from promptreid.gallery.records.postgres.postgres_identities import PostgresIdentities
from promptreid.gallery.records.postgres.postgres_nearest import PostgresNearest
from promptreid.gallery.records.postgres.postgres_negatives import PostgresNegatives
from promptreid.gallery.records.postgres.postgres_restoring import PostgresRestoring
from promptreid.gallery.records.postgres.postgres_vectors import from_bytes
from promptreid.gallery.records.record_rows import (
    EntryRow,
    NewEntry,
    NewVector,
    Picture,
)

_AT_A_TIME = 4096
_COLUMNS = (
    "entry, content_hash, identity, camera, time, domain, attributes, path, box, hidden, version"
)


class PostgresRecords(
    PostgresNearest,
    PostgresNegatives,
    PostgresIdentities,
    PostgresAudit,
    PostgresRestoring,
    PostgresErasure,
):
    """Entries, vectors, identities, models and all else in one schema."""

    def find_known(self, hashes: Sequence[str]) -> dict[str, str]:
        """Return the names of the identities that some contents are enrolled as, by hash."""
        rows = self.execute(
            "SELECT content_hash, name FROM entries JOIN identities USING (identity) "
            "WHERE content_hash = ANY(%s)",
            list(hashes),
        )
        return dict(rows)

    def find_entries(self, hashes: Sequence[str]) -> dict[str, int]:
        """Return the numbers of the entries that hold some contents, by hash."""
        rows = self.execute(
            "SELECT content_hash, entry FROM entries WHERE content_hash = ANY(%s)", list(hashes)
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
        self.check_widths(None, [NewVector(0, entry.vector, entry.text_vector) for entry in new])
        model, revision = self.find_model(), self.revision()
        identities = self.find_or_make_identities([entry.identity for entry in new])
        numbers = self.take_numbers("entry", len(new))
        self.execute(
            "INSERT INTO entries (entry, content_hash, identity, camera, time, domain, attributes, "
            "path, box, version) SELECT *, %s::bigint FROM unnest(%s::bigint[], %s::text[], "
            "%s::bigint[], %s::text[], %s::float8[], %s::text[], %s::text[], %s::text[], "
            "%s::text[])",
            revision,
            numbers,
            [entry.content_hash for entry in new],
            [identities[entry.identity] for entry in new],
            [entry.camera for entry in new],
            [entry.time for entry in new],
            [entry.domain for entry in new],
            [json.dumps(dict(entry.attributes)) for entry in new],
            [entry.path for entry in new],
            [entry.box for entry in new],
        )
        numbered = list(zip(numbers, new, strict=True))
        self.put_entry_vectors("vectors", model, [(one, entry.vector) for one, entry in numbered])
        self.put_entry_vectors(
            "text_vectors",
            model,
            [(one, row.text_vector) for one, row in numbered if row.text_vector is not None],
        )
        crops = [(one, entry.crop) for one, entry in numbered if entry.crop is not None]
        self.execute(
            "INSERT INTO crops SELECT *, %s::bigint FROM unnest(%s::bigint[], %b::bytea[])",
            revision,
            [one for one, _ in crops],
            [crop for _, crop in crops],
        )
        return numbers

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
                f"SELECT {columns}, vector FROM entries LEFT JOIN {table} "
                f"ON {table}.entry = entries.entry AND model = %s "
                "WHERE entries.version > %s AND entries.entry > %s ORDER BY entries.entry LIMIT %s",
                number, since, last, _AT_A_TIME,
            )  # fmt: skip
            for *values, vector in rows:
                yield _entry(values), from_bytes(vector)
            if len(rows) < _AT_A_TIME:
                return
            last = rows[-1][0]

    def entry_rows(self, entries: Iterable[int]) -> list[EntryRow]:
        """Return single entries, by number; those that are not there are left out."""
        rows = self.execute(
            f"SELECT {_COLUMNS} FROM entries WHERE entry = ANY(%s) ORDER BY entry", list(entries)
        )
        return [_entry(row) for row in rows]

    def deleted(self, since: int = -1) -> list[int]:
        """Return the numbers of entries that were deleted after a revision, ascending."""
        rows = self.execute("SELECT entry FROM deleted WHERE version > %s ORDER BY entry", since)
        return [row[0] for row in rows]

    def entries_by_identity(self, identity: int) -> list[int]:
        """Return the numbers of an identity's entries, ascending."""
        rows = self.execute(
            "SELECT entry FROM entries WHERE identity = %s ORDER BY entry", identity
        )
        return [row[0] for row in rows]

    def picture(self, entry: int) -> Picture:
        """Return where the pixels of an entry are."""
        rows = self.execute(
            "SELECT content_hash, content, path, box FROM entries LEFT JOIN crops USING (entry) "
            "WHERE entry = %s",
            entry,
        )
        if not rows:
            raise NotEnrolledError(f"There is no entry {entry} in {self.place}.")
        return Picture(*rows[0])

    def stored_bytes(self, entry: int) -> list[bytes]:
        """Return what the tables hold of an entry: crop, vectors, payloads of audit records."""
        rows = self.execute("SELECT content FROM crops WHERE entry = %s", entry)
        for table in ("vectors", "text_vectors"):
            rows += self.execute(f"SELECT vector FROM {table} WHERE entry = %s", entry)
        return [*(row[0] for row in rows), *self.payload_bytes(entry)]

    def move(self, entries: Iterable[int], identity: int) -> None:
        """Put entries under another identity; one that is left without any is removed."""
        chosen = self._touch(entries)
        self.execute("UPDATE entries SET identity = %s WHERE entry = ANY(%s)", identity, chosen)
        self.execute(
            "UPDATE identities SET version = %s WHERE identity = %s", self.revision(), identity
        )
        self.remove_empty_identities()

    def set_hidden(self, entries: Iterable[int], *, hidden: bool) -> None:
        """Take entries out of answers, or into them again."""
        chosen = self._touch(entries)
        self.execute("UPDATE entries SET hidden = %s WHERE entry = ANY(%s)", hidden, chosen)

    def delete(self, entries: Iterable[int]) -> list[int]:
        """Delete entries with all that belongs to them; `compact` is due afterwards."""
        chosen = self._touch(entries)
        numbers = self.delete_payloads(chosen)
        self.execute(
            "INSERT INTO deleted SELECT entry, %s FROM entries WHERE entry = ANY(%s)",
            self.revision(),
            chosen,
        )
        for table in ("null_sample", "entries"):  # the rest goes with the entries
            self.execute(f"DELETE FROM {table} WHERE entry = ANY(%s)", chosen)
        self.set_count("compaction_due", 1)
        self.remove_empty_identities()
        return numbers

    def _touch(self, entries: Iterable[int]) -> list[int]:
        """Give entries and their identities the version of this transaction; return a list."""
        chosen, revision = sorted(entries), self.revision()
        self.execute(
            "UPDATE identities SET version = %s WHERE identity IN "
            "(SELECT identity FROM entries WHERE entry = ANY(%s))",
            revision,
            chosen,
        )
        self.execute("UPDATE entries SET version = %s WHERE entry = ANY(%s)", revision, chosen)
        return chosen


def _entry(values: Sequence[Any]) -> EntryRow:
    *front, attributes, path, box, hidden, version = values
    return EntryRow(*front, json.loads(attributes), path, box, hidden, version)
