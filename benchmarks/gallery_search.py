"""`gallery-search`: the 20 entries of a gallery that are most alike, for one query and for 64."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.compare import Check, Comparison, Settings
from promptreid.gallery.records.record_rows import EntryColumns, ModelRow
from promptreid.gallery.searching.conditions import Conditions
from promptreid.gallery.searching.entry_table import EntryTable
from promptreid.gallery.searching.indexes.bits_index import BitsIndex
from promptreid.gallery.searching.indexes.vector_index import Nearest

_NEAREST = 20
_IMAGES = 20  # of each identity
_QUERIES = 64
_AT_A_TIME = 1 << 15
_MISSED = 0.01


class GeneratedRecords:
    """Records of simulated entries, as far as an index reads them.

    Vectors of one identity have cosines of about a half with each other.

    Attributes:
        entries: Number of entries.
        width: Length of a vector.
    """

    def __init__(self, entries: int, width: int) -> None:
        self.entries = entries
        self.width = width

    def model(self) -> ModelRow:
        """Return a model that is none."""
        return ModelRow("0" * 64, self.width, {})

    def revision(self) -> int:
        """Return a number that never changes."""
        return 1

    def count_entries(self) -> int:
        """Return the number of entries."""
        return self.entries

    def columns(self, since: int = -1) -> Iterator[EntryColumns]:
        """Give all entries, once."""
        for start in range(0, self.entries if since < 1 else 0, _AT_A_TIME):
            rows = np.arange(start, min(self.entries, start + _AT_A_TIME))
            texts = ["{}"] * len(rows)
            yield EntryColumns(
                entries=rows + 1,
                draws=rows.astype(np.uint64),
                identities=rows // _IMAGES,
                cameras=texts,
                times=np.full(len(rows), np.nan),
                domains=texts,
                attributes=texts,
                hidden=np.zeros(len(rows), bool),
                usable=np.ones(len(rows), bool),
            )

    def vectors(self, entries: list[int]) -> NDArray[np.float32]:
        """Draw vectors, the same for the same entries asked for together."""
        rows = np.array(entries, np.int64) - 1
        return draw_rows(rows // _IMAGES, self.width, seed=int(rows[0]) if len(rows) else 0)


def draw_rows(identities: NDArray[np.int64], width: int, *, seed: int) -> NDArray[np.float32]:
    """Draw unit vectors (N, width) around the directions of (N,) identities."""
    different, places = np.unique(identities, return_inverse=True)
    draws = [np.random.default_rng([1, one]) for one in different.tolist()]
    centres = np.empty((len(different), width), np.float32)
    for centre, draw in zip(centres, draws, strict=True):
        centre[:] = draw.standard_normal(width, dtype=np.float32)
    rows = np.random.default_rng([2, seed]).standard_normal((len(places), width), dtype=np.float32)
    rows += centres[places]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def gallery_search(settings: Settings) -> Iterator[Comparison]:
    """Compare finding the nearest of 10^5 and 10^6 entries.

    Plain: NumPy's product of the queries with all vectors in memory, and the largest of each row.
    Ours: codes of one bit a dimension in memory, and vectors in files, of which a few are scored.
    """
    width = 64 if settings.quick else 512
    for size in (6000,) if settings.quick else (10**5, 10**6):
        records, table = GeneratedRecords(size, width), EntryTable()
        change = table.refresh(records)  # ty: ignore[invalid-argument-type]
        vectors = np.concatenate([records.vectors(part) for part in _parts(size)])
        queries = draw_rows(np.arange(_QUERIES) * (size // _QUERIES) // _IMAGES, width, seed=10**9)
        with tempfile.TemporaryDirectory() as folder:
            index = BitsIndex(Path(folder), threads=settings.threads)
            index.follow(table, change, records)  # ty: ignore[invalid-argument-type]
            index.settle()
            for count in (1, _QUERIES):
                yield _compare(index, table, vectors, queries[:count])
            index.close()


def _parts(size: int) -> Iterator[list[int]]:
    """Give the numbers of entries in the parts in which an index reads them."""
    for start in range(0, size, _AT_A_TIME):
        yield list(range(start + 1, min(size, start + _AT_A_TIME) + 1))


def _compare(
    index: BitsIndex, table: EntryTable, vectors: NDArray[np.float32], queries: NDArray[np.float32]
) -> Comparison:
    words = "1 query" if len(queries) == 1 else f"{len(queries)} queries"
    conditions = Conditions(table)
    return Comparison(
        f"gallery-search {len(vectors):,}, {words}",
        lambda: _search_plainly(queries, vectors),
        lambda: index.search(queries, conditions, _NEAREST),
        _checks,
        note=lambda _plain, _ours: _time_faiss(queries, vectors),
    )


def _search_plainly(
    queries: NDArray[np.float32], vectors: NDArray[np.float32]
) -> NDArray[np.int64]:
    return np.argpartition(queries @ vectors.T, -_NEAREST, axis=1)[:, -_NEAREST:]


def _checks(plain: NDArray[np.int64], ours: Nearest) -> tuple[Check, ...]:
    found = [np.isin(right, rows).mean() for right, rows in zip(plain, ours.rows, strict=True)]
    missed = 1 - float(np.mean(found))
    return (Check(f"part of the {_NEAREST} nearest that is missed", missed, _MISSED),)


def _time_faiss(queries: NDArray[np.float32], vectors: NDArray[np.float32]) -> str:
    """Say how long faiss takes for all products, where it is installed."""
    try:
        import faiss
    except ImportError:
        return "faiss is not installed"
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    seconds = min(_time(lambda: index.search(queries, _NEAREST)) for _ in range(5))
    return f"faiss {faiss.__version__}, IndexFlatIP: {seconds * 1e3:.3g} ms"


def _time(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
