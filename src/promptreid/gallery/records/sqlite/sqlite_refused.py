"""Contents that must not be enrolled again, in SQLite."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from promptreid.gallery.records.sqlite.sqlite_file import SqliteFile


class SqliteRefused(SqliteFile):
    """The part of the records that remembers what is refused."""

    def refuse(self, digests: Iterable[str]) -> None:
        """Remember digests of contents that must not be enrolled again."""
        self.execute_many(
            "INSERT OR IGNORE INTO refused VALUES (?)", [(digest,) for digest in digests]
        )

    def allow(self, digests: Iterable[str]) -> None:
        """Forget digests that `refuse` took."""
        self.execute_many("DELETE FROM refused WHERE digest = ?", [(digest,) for digest in digests])

    def refused(self, among: Sequence[str] | None = None) -> set[str]:
        """Return those of some digests that are refused; all of them by default."""
        if among is None:
            return {row[0] for row in self.execute("SELECT digest FROM refused")}
        chosen = json.dumps(list(among))
        rows = self.execute(
            "SELECT digest FROM refused WHERE digest IN (SELECT value FROM json_each(?))", chosen
        )
        return {row[0] for row in rows}
