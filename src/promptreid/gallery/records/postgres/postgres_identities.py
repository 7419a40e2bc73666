"""Identities in PostgreSQL, and contents that must not be enrolled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from promptreid.errors import unknown_name
from promptreid.gallery.gallery_errors import NameTakenError, NotEnrolledError
from promptreid.gallery.records.postgres.postgres_store import PostgresStore
from promptreid.gallery.records.record_rows import IdentityRow

_IDENTITIES = """
SELECT identity, name, note, identities.version, count(entry), count(entry) FILTER (WHERE hidden)
FROM identities LEFT JOIN entries USING (identity)
"""


class PostgresIdentities(PostgresStore):
    """The part of the records that knows who is enrolled, and who must not be."""

    def identities(self) -> list[IdentityRow]:
        """Return all identities, by number."""
        rows = self.execute(f"{_IDENTITIES} GROUP BY identity ORDER BY identity")
        return [IdentityRow(*row) for row in rows]

    def names(self) -> dict[int, str]:
        """Return the name of each identity, by number."""
        return dict(self.execute("SELECT identity, name FROM identities"))

    def identity(self, name: str) -> IdentityRow:
        """Return an identity by name."""
        rows = self.execute(f"{_IDENTITIES} WHERE name = %s GROUP BY identity", name)
        if not rows:
            names = [row[0] for row in self.execute("SELECT name FROM identities")]
            see = f"`promptreid gallery identities {self.place}`"
            raise NotEnrolledError(unknown_name("identity", name, names, see=see))
        return IdentityRow(*rows[0])

    def identity_by_number(self, number: int) -> IdentityRow:
        """Return an identity by number."""
        rows = self.execute(f"{_IDENTITIES} WHERE identity = %s GROUP BY identity", number)
        if not rows:
            raise NotEnrolledError(f"There is no identity number {number} in {self.place}.")
        return IdentityRow(*rows[0])

    def make_identity(self, name: str) -> int:
        """Make an identity, and return its number."""
        self._check_free(name)
        return self.find_or_make_identities([name])[name]

    def rename(self, identity: int, name: str) -> None:
        """Give an identity another name, which no other has."""
        self._check_free(name)
        self.execute(
            "UPDATE identities SET name = %s, version = %s WHERE identity = %s",
            name,
            self.revision(),
            identity,
        )

    def set_note(self, identity: int, note: str) -> None:
        """Write an identity's note."""
        self.execute(
            "UPDATE identities SET note = %s, version = %s WHERE identity = %s",
            note,
            self.revision(),
            identity,
        )

    def find_or_make_identities(self, names: Sequence[str]) -> dict[str, int]:
        """Return the numbers of identities by name, in the order of names where they are new."""
        wanted = list(dict.fromkeys(names))
        rows = self.execute("SELECT name, identity FROM identities WHERE name = ANY(%s)", wanted)
        numbers: dict[str, Any] = dict(rows)
        new = [name for name in wanted if name not in numbers]
        made = dict(zip(new, self.take_numbers("identity", len(new)), strict=True))
        self.execute(
            "INSERT INTO identities (identity, name, version) "
            "SELECT *, %s::bigint FROM unnest(%s::bigint[], %s::text[])",
            self.revision(),
            list(made.values()),
            list(made),
        )
        return numbers | made

    def remove_empty_identities(self) -> None:
        """Remove identities that are left without an entry."""
        self.execute(
            "DELETE FROM identities WHERE NOT EXISTS "
            "(SELECT 1 FROM entries WHERE entries.identity = identities.identity)"
        )

    def _check_free(self, name: str) -> None:
        if self.execute("SELECT 1 FROM identities WHERE name = %s", name):
            raise NameTakenError(
                f"There is an identity named {name!r} already. Two that are one are put together "
                f"by: promptreid gallery merge {self.place} FROM {name!r}."
            )

    def refuse(self, digests: Iterable[str]) -> None:
        """Remember digests of contents that must not be enrolled again."""
        self.execute(
            "INSERT INTO refused SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING", list(digests)
        )

    def allow(self, digests: Iterable[str]) -> None:
        """Forget digests that `refuse` took."""
        self.execute("DELETE FROM refused WHERE digest = ANY(%s)", list(digests))

    def refused(self, among: Sequence[str] | None = None) -> set[str]:
        """Return those of some digests that are refused; all of them by default."""
        if among is None:
            return {row[0] for row in self.execute("SELECT digest FROM refused")}
        rows = self.execute("SELECT digest FROM refused WHERE digest = ANY(%s)", list(among))
        return {row[0] for row in rows}
