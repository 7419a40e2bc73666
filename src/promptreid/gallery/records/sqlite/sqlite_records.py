"""Records in a folder, by SQLite: one file holds everything that must not be lost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from promptreid.errors import unknown_name
from promptreid.gallery.gallery_errors import NameTakenError, NotEnrolledError
from promptreid.gallery.records.record_rows import (
    EntryRow,
    IdentityRow,
    NewEntry,
    NewVector,
    Picture,
)
from promptreid.gallery.records.sqlite.sealed_vectors import strip_seal, to_blob
from promptreid.gallery.records.sqlite.sqlite_audit import SqliteAudit
from promptreid.gallery.records.sqlite.sqlite_columns import SqliteColumns
from promptreid.gallery.records.sqlite.sqlite_errors import tell_damage
from promptreid.gallery.records.sqlite.sqlite_negatives import SqliteNegatives
from promptreid.gallery.records.sqlite.sqlite_refused import SqliteRefused
from promptreid.gallery.records.sqlite.sqlite_restoring import SqliteRestoring

_AT_A_TIME = 4096
_LISTED = "(SELECT value FROM json_each(?))"
_COLUMNS = (
    "entry, content_hash, identity, camera, time, domain, attributes, path, box, hidden, version"
)
_IDENTITIES = """
SELECT identity, name, note, version,
    (SELECT count(*) FROM entries WHERE entries.identity = identities.identity),
    (SELECT count(*) FROM entries WHERE entries.identity = identities.identity AND hidden)
FROM identities
"""


class SqliteRecords(SqliteNegatives, SqliteColumns, SqliteAudit, SqliteRefused, SqliteRestoring):
    """Entries, vectors, identities, models and all else in `FOLDER/records.sqlite`."""

    def find_known(self, hashes: Sequence[str]) -> dict[str, str]:
        """Return the names of the identities that some contents are enrolled as, by hash."""
        rows = self.execute(
            "SELECT content_hash, name FROM entries JOIN identities USING (identity) "
            "WHERE content_hash IN (SELECT value FROM json_each(?))",
            json.dumps(list(hashes)),
        )
        return dict(rows)

    def find_entries(self, hashes: Sequence[str]) -> dict[str, int]:
        """Return the numbers of the entries that hold some contents, by hash."""
        rows = self.execute(
            f"SELECT content_hash, entry FROM entries WHERE content_hash IN {_LISTED}",
            json.dumps(list(hashes)),
        )
        return dict(rows)

    def add(self, entries: Sequence[NewEntry]) -> list[int]:
        """Enrol images that are not yet there, with vectors of the model that is searched."""
        model, revision = self.find_model(), self.revision()
        known = self.find_known([entry.content_hash for entry in entries])
        first_by_hash = {entry.content_hash: entry for entry in reversed(entries)}
        new = [
            entry
            for entry in entries
            if entry.content_hash not in known and first_by_hash[entry.content_hash] is entry
        ]
        self.check_widths(None, [NewVector(0, entry.vector, entry.text_vector) for entry in new])
        self.execute_many(
            "INSERT OR IGNORE INTO identities (name, version) VALUES (?, ?)",
            [(name, revision) for name in dict.fromkeys(entry.identity for entry in new)],
        )
        first = self.counters().entry + 1
        numbers = list(range(first, first + len(new)))
        self.execute_many(
            "INSERT INTO entries (entry, content_hash, identity, camera, time, domain, attributes, "
            "path, box, version) VALUES (?, ?, (SELECT identity FROM identities WHERE name = ?), "
            "?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    number, entry.content_hash, entry.identity, entry.camera, entry.time,
                    entry.domain, json.dumps(dict(entry.attributes)), entry.path, entry.box,
                    revision,
                )
                for number, entry in zip(numbers, new, strict=True)
            ],
        )  # fmt: skip
        for table, values in (
            ("vectors", [to_blob(entry.vector) for entry in new]),
            (
                "text_vectors",
                [None if row.text_vector is None else to_blob(row.text_vector) for row in new],
            ),
        ):
            self.execute_many(
                f"INSERT INTO {table} VALUES (?, ?, ?)",
                [
                    (number, model, value)
                    for number, value in zip(numbers, values, strict=True)
                    if value is not None
                ],
            )
        self.execute_many(
            "INSERT INTO crops VALUES (?, ?)",
            [
                (number, entry.crop)
                for number, entry in zip(numbers, new, strict=True)
                if entry.crop is not None
            ],
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
        by_version = "" if since < 0 else "INDEXED BY entries_by_version"
        table, last, number = "text_vectors" if text else "vectors", 0, self.find_model(model)
        while True:
            rows = self.execute(
                f"SELECT {columns}, vector FROM entries {by_version} LEFT JOIN {table} "
                f"ON {table}.entry = entries.entry AND model = ? "
                "WHERE version > ? AND entries.entry > ? ORDER BY entries.entry LIMIT ?",
                number, since, last, _AT_A_TIME,
            )  # fmt: skip
            for *values, vector in rows:
                yield self._entry(values), self.open_vector(vector, "entry", values[0])
            if len(rows) < _AT_A_TIME:
                return
            last = rows[-1][0]

    def entry_rows(self, entries: Iterable[int]) -> list[EntryRow]:
        """Return single entries, by number; those that are not there are left out."""
        rows = self.execute(
            f"SELECT {_COLUMNS} FROM entries WHERE entry IN {_LISTED} ORDER BY entry",
            json.dumps(list(entries)),
        )
        return [self._entry(row) for row in rows]

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
        """Return what the file holds of an entry: crop, vectors, payloads of audit records."""
        rows = self.execute("SELECT content FROM crops WHERE entry = ?", entry)
        contents = [row[0] for row in rows]
        for table in ("vectors", "text_vectors"):
            rows = self.execute(f"SELECT vector FROM {table} WHERE entry = ?", entry)
            contents += [strip_seal(row[0]) for row in rows]
        return [*contents, *self.payload_bytes(entry)]

    def identities(self) -> list[IdentityRow]:
        """Return all identities, by number."""
        return [IdentityRow(*row) for row in self.execute(f"{_IDENTITIES} ORDER BY identity")]

    def names(self) -> dict[int, str]:
        """Return the name of each identity, by number."""
        return dict(self.execute("SELECT identity, name FROM identities"))

    def identity(self, name: str) -> IdentityRow:
        """Return an identity by name."""
        rows = self.execute(f"{_IDENTITIES} WHERE name = ?", name)
        if not rows:
            names = [row[0] for row in self.execute("SELECT name FROM identities")]
            see = f"`promptreid gallery identities {self.place}`"
            raise NotEnrolledError(unknown_name("identity", name, names, see=see))
        return IdentityRow(*rows[0])

    def identity_by_number(self, number: int) -> IdentityRow:
        """Return an identity by number."""
        rows = self.execute(f"{_IDENTITIES} WHERE identity = ?", number)
        if not rows:
            raise NotEnrolledError(f"There is no identity {number} in {self.place}.")
        return IdentityRow(*rows[0])

    def make_identity(self, name: str) -> int:
        """Make an identity, and return its number."""
        self._check_free(name)
        return self.execute(
            "INSERT INTO identities (name, version) VALUES (?, ?) RETURNING identity",
            name,
            self.revision(),
        )[0][0]

    def rename(self, identity: int, name: str) -> None:
        """Give an identity another name, which no other has."""
        self._check_free(name)
        self.execute(
            "UPDATE identities SET name = ?, version = ? WHERE identity = ?",
            name,
            self.revision(),
            identity,
        )

    def set_note(self, identity: int, note: str) -> None:
        """Write an identity's note."""
        self.execute(
            "UPDATE identities SET note = ?, version = ? WHERE identity = ?",
            note,
            self.revision(),
            identity,
        )

    def move(self, entries: Iterable[int], identity: int) -> None:
        """Put entries under another identity; one that is left without any is removed."""
        chosen = self._touch(entries)
        self.execute(f"UPDATE entries SET identity = ? WHERE entry IN {_LISTED}", identity, chosen)
        self.execute(
            "UPDATE identities SET version = ? WHERE identity = ?", self.revision(), identity
        )
        self._remove_empty_identities()

    def set_hidden(self, entries: Iterable[int], *, hidden: bool) -> None:
        """Take entries out of answers, or into them again."""
        chosen = self._touch(entries)
        self.execute(f"UPDATE entries SET hidden = ? WHERE entry IN {_LISTED}", int(hidden), chosen)

    def delete(self, entries: Iterable[int]) -> list[int]:
        """Delete entries with all that belongs to them; `compact` is due afterwards."""
        chosen = self._touch(entries)
        numbers = self.delete_payloads(json.loads(chosen))
        self.execute(
            f"INSERT INTO deleted SELECT entry, ? FROM entries WHERE entry IN {_LISTED}",
            self.revision(),
            chosen,
        )
        for table in ("null_sample", "text_vectors", "vectors", "crops", "negatives", "entries"):
            self.execute(f"DELETE FROM {table} WHERE entry IN {_LISTED}", chosen)
        self.execute("UPDATE facts SET value = 1 WHERE key = 'compaction_due'")
        self._remove_empty_identities()
        return numbers

    def _touch(self, entries: Iterable[int]) -> str:
        """Give entries and their identities the version of this transaction; return their list."""
        chosen = json.dumps(sorted(entries))
        revision = self.revision()
        self.execute(
            "UPDATE identities SET version = ? WHERE identity IN "
            f"(SELECT identity FROM entries WHERE entry IN {_LISTED})",
            revision,
            chosen,
        )
        self.execute(f"UPDATE entries SET version = ? WHERE entry IN {_LISTED}", revision, chosen)
        return chosen

    def _remove_empty_identities(self) -> None:
        self.execute(
            "DELETE FROM identities WHERE NOT EXISTS "
            "(SELECT 1 FROM entries WHERE entries.identity = identities.identity)"
        )

    def _check_free(self, name: str) -> None:
        if self.execute("SELECT 1 FROM identities WHERE name = ?", name):
            raise NameTakenError(
                f"There is an identity named {name!r} already. Two that are one are put together "
                f"by: promptreid gallery merge {self.place} FROM {name!r}."
            )

    def _entry(self, values: Sequence) -> EntryRow:
        *front, attributes, path, box, hidden, version = values
        try:
            known = json.loads(attributes)
            bytes.fromhex(front[1])  # the content hash, whose beginning is read as a number
        except (TypeError, ValueError) as error:
            raise tell_damage(self.place, f"entry {front[0]}: {error}") from error
        return EntryRow(*front, known, path, box, bool(hidden), version)
