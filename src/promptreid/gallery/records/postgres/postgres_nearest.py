"""What a search reads of the records: columns of entries, vectors, and those that are near."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from promptreid.gallery.records.postgres.postgres_vectors import PostgresVectors, from_bytes
from promptreid.gallery.records.record_rows import EntryColumns

_ROWS_AT_A_TIME = 65536
_LARGEST_LIST = 1000
"""Candidates that pgvector takes from a graph at a time, at most."""


class PostgresNearest(PostgresVectors):
    """The part of the records that a search reads."""

    def columns(self, since: int = -1, *, model: str | None = None) -> Iterator[EntryColumns]:
        """Give entries that changed after a revision, by number, in parts."""
        last, number = 0, self.find_model(model)
        while True:
            rows = self.execute(
                "SELECT entry, substr(content_hash, 1, 16), identity, camera, time, domain, "
                "attributes, hidden, EXISTS (SELECT 1 FROM vectors WHERE vectors.entry = "
                "entries.entry AND model = %s) FROM entries "
                "WHERE version > %s AND entry > %s ORDER BY entry LIMIT %s",
                number, since, last, _ROWS_AT_A_TIME,
            )  # fmt: skip
            if rows:
                yield _columns(rows)
                last = rows[-1][0]
            if len(rows) < _ROWS_AT_A_TIME:
                return

    def entry_numbers(self) -> NDArray[np.int64]:
        """Return the numbers of all entries."""
        numbers = self.execute("SELECT entry FROM entries")
        return np.fromiter((row[0] for row in numbers), np.int64, len(numbers))

    def vectors(self, entries: Sequence[int], *, model: str | None = None) -> NDArray[np.float32]:
        """Return vectors of a model, zero where an entry has none."""
        number, numbers = self.find_model(model), list(entries)
        width = self.execute("SELECT width FROM models WHERE model = %s", number)[0][0]
        vectors = np.zeros((len(numbers), width), np.float32)
        rows = self.execute(
            "SELECT place, vector FROM unnest(%s::bigint[]) WITH ORDINALITY AS wanted (entry, "
            "place) JOIN vectors USING (entry) WHERE model = %s",
            numbers,
            number,
        )
        for place, content in rows:
            vectors[place - 1] = from_bytes(content)
        return vectors

    def searched_bytes(self, entries: Sequence[int]) -> list[bytes]:
        """Return the vectors of 16 bits of some entries, as they are in the table's file."""
        rows = self.execute(
            "SELECT halfvec_send(searched) FROM vectors WHERE entry = ANY(%s)", list(entries)
        )
        return [np.frombuffer(row[0][4:], ">f2").astype("<f2").tobytes() for row in rows]

    def nearest(
        self,
        query: NDArray[np.float32],
        conditions: Sequence[tuple[str, object]],
        limit: int,
        *,
        graph: bool = False,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Find the entries that are most alike by vectors of 16 bits.

        Args:
            query: (width,) of length 1.
            conditions: Conditions on columns of entries, in SQL, each with its value.
            limit: Entries wanted.
            graph: Whether those are enough that a graph finds.

        Returns:
            Numbers (N,) and rounded cosines (N,), best first.
        """
        number = self.find_model()
        joined = "JOIN entries USING (entry)" if conditions else ""
        where = "".join(f" AND {words}" for words, _ in conditions)
        searched = f"searched::halfvec({len(query):d})" if graph else "searched"
        if graph:
            listed = min(_LARGEST_LIST, 2 * limit)
            self.execute(
                f"SET hnsw.ef_search = {listed:d}; SET hnsw.iterative_scan = relaxed_order"
            )
        rows = self.execute(
            f"SELECT entry, -({searched} <#> %b) AS score FROM vectors {joined} "
            f"WHERE model = {number:d}{where} ORDER BY {searched} <#> %b LIMIT %s",
            HalfVector(query), *(value for _, value in conditions),
            HalfVector(query), limit,
        )  # fmt: skip
        return (
            np.fromiter((row[0] for row in rows), np.int64, len(rows)),
            np.fromiter((row[1] for row in rows), np.float32, len(rows)),
        )

    def make_graph(self) -> None:
        """Make a graph (HNSW) over the vectors of the model that is searched, if there is none."""
        model, number = self.model(), self.find_model()
        name = f"vectors_graph_{number:d}"
        if model is None or self.execute("SELECT to_regclass(%s)::text", name)[0][0] is not None:
            return
        with self.locking("SELECT value FROM counters WHERE key = 'revision' FOR UPDATE"):
            self.execute(
                f"CREATE INDEX IF NOT EXISTS {name} ON vectors USING hnsw "
                f"((searched::halfvec({model.width:d})) halfvec_ip_ops) WHERE model = {number:d}"
            )


def _columns(rows: Sequence[tuple[Any, ...]]) -> EntryColumns:
    entries, hashes, identities, cameras, times, domains, attributes, hidden, usable = zip(
        *rows, strict=True
    )
    return EntryColumns(
        entries=np.array(entries, np.int64),
        draws=np.frombuffer(bytes.fromhex("".join(hashes)), ">u8").astype(np.uint64),
        identities=np.array(identities, np.int64),
        cameras=cameras,
        times=np.array(times, np.float64),  # None becomes not-a-number
        domains=domains,
        attributes=attributes,
        hidden=np.array(hidden, bool),
        usable=np.array(usable, bool),
    )
