"""What pgvector finds: the entries whose vectors of 16 bits are near."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from promptreid.gallery.records.postgres.postgres_connection import HOLDING
from promptreid.gallery.records.postgres.postgres_vectors import PostgresVectors

_LARGEST_LIST = 1000
"""Candidates that pgvector takes from a graph at a time, at most."""


class PostgresNearest(PostgresVectors):
    """The part of the records that pgvector searches."""

    def searched_bytes(self, entries: Sequence[int]) -> list[bytes]:
        """Return the vectors of 16 bits of some entries, as they are in the table's file."""
        rows = self.execute(
            "SELECT halfvec_send(searched) FROM vectors WHERE entry = ANY(?)", list(entries)
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
            f"WHERE model = {number:d}{where} ORDER BY {searched} <#> %b LIMIT ?",
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
        if model is None or self.execute("SELECT to_regclass(?)::text", name)[0][0] is not None:
            return
        with self.locking(HOLDING):
            self.execute(
                f"CREATE INDEX IF NOT EXISTS {name} ON vectors USING hnsw "
                f"((searched::halfvec({model.width:d})) halfvec_ip_ops) WHERE model = {number:d}"
            )
