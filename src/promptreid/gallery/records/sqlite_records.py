"""Records in a folder, by SQLite: one file holds everything that must not be lost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from promptreid.errors import GalleryError, unknown_name
from promptreid.gallery.gallery_errors import NameTakenError, NotEnrolledError
from promptreid.gallery.records.record_rows import (
    EntryRow,
    IdentityRow,
    ModelRow,
    NewEntry,
    NullRow,
    Picture,
)
from promptreid.gallery.records.sqlite_columns import SqliteColumns

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


class SqliteRecords(SqliteColumns):
    """Entries, vectors, identities, models and the null sample in `FOLDER/records.sqlite`."""

    def model(self) -> ModelRow | None:
        """Return the model whose vectors are searched."""
        rows = self.execute(
            "SELECT fingerprint, width, description FROM models WHERE model = ?",
            self.fact("model"),
        )
        if not rows:
            return None
        fingerprint, width, description = rows[0]
        return ModelRow(fingerprint, width, json.loads(description))

    def set_model(self, model: ModelRow) -> None:
        """Search the vectors of this model from now on."""
        self.execute(
            "INSERT OR IGNORE INTO models (fingerprint, width, description) VALUES (?, ?, ?)",
            model.fingerprint,
            model.width,
            json.dumps(dict(model.description)),
        )
        self.execute(
            "UPDATE facts SET value = (SELECT model FROM models WHERE fingerprint = ?) "
            "WHERE key = 'model'",
            model.fingerprint,
        )

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
        model, width, revision = self.fact("model"), self._width(), self.revision()
        known = set(self.find_known([entry.content_hash for entry in entries]))
        numbers = []
        for entry in entries:
            if entry.content_hash in known:
                continue
            known.add(entry.content_hash)
            if entry.vector.shape != (width,):
                raise GalleryError(
                    f"A vector of shape {entry.vector.shape} does not fit this gallery, whose "
                    f"model gives ({width},)."
                )
            self.execute(
                "INSERT OR IGNORE INTO identities (name, version) VALUES (?, ?)",
                entry.identity,
                revision,
            )
            number = self.execute(
                "INSERT INTO entries (content_hash, identity, camera, time, domain, attributes, "
                "path, box, version) VALUES (?, (SELECT identity FROM identities WHERE name = ?), "
                "?, ?, ?, ?, ?, ?, ?) RETURNING entry",
                entry.content_hash, entry.identity, entry.camera, entry.time, entry.domain,
                json.dumps(dict(entry.attributes)), entry.path, entry.box, revision,
            )[0][0]  # fmt: skip
            vector = np.ascontiguousarray(entry.vector, "<f4").tobytes()
            self.execute("INSERT INTO vectors VALUES (?, ?, ?)", number, model, vector)
            if entry.crop is not None:
                self.execute("INSERT INTO crops VALUES (?, ?)", number, entry.crop)
            numbers.append(number)
        return numbers

    def count_entries(self) -> int:
        """Return the number of entries, the hidden ones included."""
        return self.execute("SELECT count(*) FROM entries")[0][0]

    def entries(self, since: int = -1) -> Iterator[tuple[EntryRow, NDArray[np.float32] | None]]:
        """Give entries that changed after a revision, by number, each with its vector."""
        columns = ", ".join(f"entries.{name}" for name in _COLUMNS.split(", "))
        by_version = "" if since < 0 else "INDEXED BY entries_by_version"
        last, model = 0, self.fact("model")
        while True:
            rows = self.execute(
                f"SELECT {columns}, vector FROM entries {by_version} LEFT JOIN vectors "
                "ON vectors.entry = entries.entry AND model = ? "
                "WHERE version > ? AND entries.entry > ? ORDER BY entries.entry LIMIT ?",
                model, since, last, _AT_A_TIME,
            )  # fmt: skip
            for *values, vector in rows:
                yield _entry(values), None if vector is None else np.frombuffer(vector, "<f4")
            if len(rows) < _AT_A_TIME:
                return
            last = rows[-1][0]

    def entry_rows(self, entries: Iterable[int]) -> list[EntryRow]:
        """Return single entries, by number; those that are not there are left out."""
        rows = self.execute(
            f"SELECT {_COLUMNS} FROM entries WHERE entry IN {_LISTED} ORDER BY entry",
            json.dumps(list(entries)),
        )
        return [_entry(row) for row in rows]

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
        """Return what the file holds of an entry: its crop, and its vectors of all models."""
        rows = self.execute("SELECT content FROM crops WHERE entry = ?", entry)
        rows += self.execute("SELECT vector FROM vectors WHERE entry = ?", entry)
        return [row[0] for row in rows]

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

    def delete(self, entries: Iterable[int]) -> None:
        """Delete entries with all that belongs to them; `compact` is due afterwards."""
        chosen = self._touch(entries)
        for table in ("null_sample", "vectors", "crops", "entries"):
            self.execute(f"DELETE FROM {table} WHERE entry IN {_LISTED}", chosen)
        self.execute("UPDATE facts SET value = 1 WHERE key = 'compaction_due'")
        self._remove_empty_identities()

    def null_rows(self) -> list[NullRow]:
        """Return the null sample of the model that is searched."""
        rows = self.execute(
            "SELECT identity, entry, score, rival FROM null_sample WHERE model = ?",
            self.fact("model"),
        )
        return [NullRow(*row) for row in rows]

    def put_null_rows(self, rows: Iterable[NullRow], removed: Iterable[int]) -> None:
        """Write rows of the null sample, and remove those of some identities."""
        model = self.fact("model")
        self.execute_many(
            "DELETE FROM null_sample WHERE model = ? AND identity = ?",
            [(model, identity) for identity in removed],
        )
        self.execute_many(
            "INSERT OR REPLACE INTO null_sample VALUES (?, ?, ?, ?, ?)",
            [(model, row.identity, row.entry, row.score, row.rival) for row in rows],
        )

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

    def _width(self) -> int:
        model = self.model()
        if model is None:
            raise GalleryError(f"{self.place} has no model yet, so nothing can be enrolled.")
        return model.width


def _entry(values: Sequence) -> EntryRow:
    *front, attributes, path, box, hidden, version = values
    return EntryRow(*front, json.loads(attributes), path, box, bool(hidden), version)
