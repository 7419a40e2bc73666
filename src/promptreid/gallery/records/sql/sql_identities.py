"""Identities, and contents that must not be enrolled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from promptreid.errors import GalleryError, unknown_name
from promptreid.gallery.gallery_errors import NameTakenError, NotEnrolledError
from promptreid.gallery.records.record_rows import IdentityRow
from promptreid.gallery.records.sql.sql_store import ALL, SqlStore

_IDENTITIES = """
SELECT identity, name, note, version,
    (SELECT count(*) FROM entries WHERE entries.identity = identities.identity),
    (SELECT count(*) FROM entries WHERE entries.identity = identities.identity AND hidden)
FROM identities
"""


class SqlIdentities(SqlStore):
    """The part of the records that knows who is enrolled, and what must not be."""

    def identities(self, after: int = 0, limit: int | None = None) -> list[IdentityRow]:
        """Return identities, by number."""
        rows = self.execute(
            f"{_IDENTITIES} WHERE identity > ? ORDER BY identity LIMIT ?",
            after,
            ALL if limit is None else limit,
        )
        return [IdentityRow(*row) for row in rows]

    def identity_rows(self, identities: Iterable[int]) -> list[IdentityRow]:
        """Return single identities, by number; those that are not there are left out."""
        rows = self.execute(
            f"{_IDENTITIES} WHERE {self.among('identity')} ORDER BY identity",
            self.to_list(identities),
        )
        return [IdentityRow(*row) for row in rows]

    def count_identities(self) -> int:
        """Return the number of identities."""
        return self.execute("SELECT count(*) FROM identities")[0][0]

    def names(self, since: int = -1) -> dict[int, str]:
        """Return names by number, of identities that are new or other since a revision or in it."""
        return dict(self.execute("SELECT identity, name FROM identities WHERE version >= ?", since))

    def notes(self) -> dict[int, str]:
        """Return the notes that are not empty, by number of the identity."""
        return dict(self.execute("SELECT identity, note FROM identities WHERE note <> ''"))

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
        rows = self.identity_rows([number])
        if not rows:
            raise NotEnrolledError(f"There is no identity {number} in {self.place}.")
        return rows[0]

    def make_identity(self, name: str) -> int:
        """Make an identity, and return its number."""
        self._check_free(name)
        return self.find_or_make_identities([name])[name]

    def find_or_make_identities(self, names: Sequence[str]) -> dict[str, int]:
        """Return the numbers of identities by name, in the order of names where they are new."""
        wanted = list(dict.fromkeys(names))
        for name in wanted:
            self._check_name(name)
        rows = self.execute(
            f"SELECT name, identity FROM identities WHERE {self.among('name')}",
            self.to_list(wanted),
        )
        known: dict[str, int] = dict(rows)
        new = [name for name in wanted if name not in known]
        made = dict(zip(new, self.take_numbers("identity", len(new)), strict=True))
        revision = self.revision()
        self.execute_many(
            "INSERT INTO identities (identity, name, version) VALUES (?, ?, ?)",
            [(number, name, revision) for name, number in made.items()],
        )
        return known | made

    def rename(self, identity: int, name: str) -> None:
        """Give an identity another name, which no other has."""
        self._check_name(name)
        self._check_free(name)
        self.execute("UPDATE identities SET name = ? WHERE identity = ?", name, identity)
        self.touch_identity(identity)

    def set_note(self, identity: int, note: str) -> None:
        """Write an identity's note."""
        self.execute("UPDATE identities SET note = ? WHERE identity = ?", note, identity)
        self.touch_identity(identity)

    def remove_empty_identities(self) -> None:
        """Remove identities that are left without an entry."""
        self.execute(
            "DELETE FROM identities WHERE NOT EXISTS "
            "(SELECT 1 FROM entries WHERE entries.identity = identities.identity)"
        )

    def refuse(self, digests: Iterable[str]) -> None:
        """Remember digests of contents that must not be enrolled again."""
        self.execute_many(
            "INSERT INTO refused VALUES (?) ON CONFLICT DO NOTHING",
            [(digest,) for digest in digests],
        )

    def allow(self, digests: Iterable[str]) -> None:
        """Forget digests that `refuse` took."""
        self.execute(f"DELETE FROM refused WHERE {self.among('digest')}", self.to_list(digests))

    def refused(self, among: Sequence[str] | None = None) -> set[str]:
        """Return those of some digests that are refused; all of them by default."""
        if among is None:
            return {row[0] for row in self.execute("SELECT digest FROM refused")}
        rows = self.execute(
            f"SELECT digest FROM refused WHERE {self.among('digest')}", self.to_list(among)
        )
        return {row[0] for row in rows}

    def _check_name(self, name: str) -> None:
        if "\0" in name:  # which SQLite keeps and does not find again, and PostgreSQL does not keep
            raise GalleryError(
                f"{self.place} cannot keep the name {name!r}: it has a zero byte in it. "
                "Nothing was changed; give it another name."
            )

    def _check_free(self, name: str) -> None:
        if self.execute("SELECT 1 FROM identities WHERE name = ?", name):
            raise NameTakenError(
                f"There is an identity named {name!r} already. Two that are one are put together "
                f"by: promptreid gallery merge {self.place} FROM {name!r}."
            )
