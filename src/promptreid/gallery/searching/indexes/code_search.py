"""Finding what is most alike a query by codes: some words of all of them, the others of few."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.searching.indexes.bit_codes import WORD, AskedCode, Run
from promptreid.gallery.searching.indexes.row_store import RowStore

_FIRST_WORDS = 5
"""Words that are compared of all codes; the others are of those that may be alike enough."""
_NEAR = 64
"""About one in so many is looked at, or more where what is found calls for it."""
_FIRST_ESTIMATED = 512
_FIRST_SCORED = 32
_MOST_ESTIMATED = 3072
_MOST_ESTIMATED_OF = 250
"""The cosines of at most `_MOST_ESTIMATED` entries and one in so many of all are estimated."""
_MOST_SCORED = 512
_MOST_SCORED_OF = 2000
"""At most `_MOST_SCORED` entries and one in so many of all are scored for a query."""
_FEW = 8
"""The other words are compared of all codes where more than one in so many may be alike enough."""
_SAMPLE = 16384


@dataclass(frozen=True, eq=False)
class Scored:
    """Rows that were scored for a query.

    Attributes:
        rows: (N,) of the table.
        values: (N,) their cosines with the query.
    """

    rows: NDArray[np.int64]
    values: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Counted:
    """In how many of the first bits codes differ from that of a query.

    Attributes:
        differing: (S,) in how many, or more than can be where a slot is closed.
        near: (N,) slots that differ in few.
        border: In how many at most.
    """

    differing: NDArray[np.uint16]
    near: NDArray[np.int64]
    border: int


class CodeSearch:
    """Searches a store for some queries at a time; threads may do so at once.

    First the best by codes are scored exactly. What is at least as alike as they are differs from
    the query in so many bits at most, and is estimated to be so alike at least, but for a chance of
    `bit_codes.MISSED` in all: entries are left out by their first words, by all of them, and by the
    estimate. What is left is scored, or as much of it as was not too many at each step.
    """

    def __init__(self, store: RowStore) -> None:
        """Take a store, which may grow."""
        self._store = store
        self._scratch = _Counting()

    def count_most(self, length: int) -> int:
        """Return how many entries are scored for a query at most, of which so many are wanted."""
        return max(_MOST_SCORED + len(self._store.slot_by_row) // _MOST_SCORED_OF, 4 * length)

    def search(
        self,
        queries: NDArray[np.float32],
        closed: Sequence[Sequence[NDArray[np.bool_] | NDArray[np.integer]]],
        length: int,
        run: Run,
    ) -> list[Scored]:
        """Score what is most alike some queries, for which codes are read once.

        Args:
            queries: (Q, d).
            closed: For each query, slots that may not answer, as masks (S,) or as numbers.
            length: How many are wanted; more are returned.
            run: Calls a function for each of some numbers, in threads or not.
        """
        store = self._store
        assert store.coder is not None
        assert store.codes is not None
        asked = [store.coder.ask(query) for query in queries]
        first_words = slice(0, _FIRST_WORDS)
        differing = self._find_memory(len(queries), len(store.codes))
        for out, parts in zip(differing, closed, strict=True):
            for part in parts:
                out[part] = WORD * store.coder.words + 1
        borders = [store.codes.find_border(one.code, first_words, _NEAR) for one in asked]
        near = store.codes.add_differing(
            np.stack([one.code for one in asked]), first_words, differing, run, borders
        )
        found: dict[int, Scored] = {}

        def finish(place: int) -> None:
            counted = _Counted(differing[place], near[place], borders[place])
            found[place] = self._finish(queries[place], asked[place], counted, length, run)

        run(finish, range(len(queries)))
        return [found[place] for place in range(len(queries))]

    def _finish(
        self,
        query: NDArray[np.float32],
        asked: AskedCode,
        counted: _Counted,
        length: int,
        run: Run,
    ) -> Scored:
        """Score what is most alike a query of whose code the first words were compared."""
        coder, codes = self._store.coder, self._store.codes
        assert coder is not None
        assert codes is not None
        differing, near, border = counted.differing, counted.near, counted.border
        words = min(_FIRST_WORDS, coder.words)
        other_words = slice(words, coder.words)
        wanted = max(_FIRST_ESTIMATED, 4 * length)
        most = max(_MOST_ESTIMATED + len(codes) // _MOST_ESTIMATED_OF, 8 * length)
        if len(near) < wanted:
            border = _find_border(differing, WORD * words, 2 * wanted)
            near = np.flatnonzero(differing <= border)
        first = _choose(near, differing[near], wanted)
        first = _choose(first, -asked.estimate(codes.read(first)), max(_FIRST_SCORED, 2 * length))
        rows, values, vectors = self._score(query, first)
        least = -1.0
        if len(values) >= length:
            best = vectors[np.argpartition(values, -length)[-length:]]
            least = _least_cosine(best, query, coder.centre)
        needed = coder.bits_needed(least, words)
        may = differing <= needed if needed > border else None
        if may is not None and _FEW * np.count_nonzero(may) > len(codes):
            codes.add_differing(asked.code[None], other_words, [differing], run)
            border = _find_border(differing, WORD * coder.words, most)
            near = np.flatnonzero(differing <= border)
            amounts = differing[near]
        else:
            near = near[differing[near] <= needed] if may is None else np.flatnonzero(may)
            others = codes.read(near, other_words) ^ asked.code[other_words]
            amounts = differing[near] + np.bitwise_count(others).sum(1, dtype=np.uint16)
        alike = amounts <= coder.bits_needed(least, coder.words)
        near = _choose(near[alike], amounts[alike], most)
        near = near[np.append(first, -1)[np.searchsorted(first, near)] != near]
        estimates = asked.estimate(codes.read(near))
        alike = estimates >= coder.least_estimate(least)
        near = _choose(near[alike], -estimates[alike], self.count_most(length))
        other_rows, other_values, _ = self._score(query, near)
        return Scored(np.concatenate([rows, other_rows]), np.concatenate([values, other_values]))

    def _score(
        self, query: NDArray[np.float32], slots: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
        """Return the rows of some slots, their cosines with a query, and their vectors."""
        rows = self._store.row_by_slot[slots].astype(np.int64)
        vectors = self._store.read_vectors(rows)
        return rows, multiply_alone(vectors, query), vectors

    def _find_memory(self, queries: int, slots: int) -> list[NDArray[np.uint16]]:
        """Return zeros, (slots,) for each query, in memory that this thread uses again."""
        own = self._scratch.differing
        if len(own) < queries or len(own[0]) != slots:
            own[:] = [np.empty(slots, np.uint16) for _ in range(queries)]
        for one in own[:queries]:
            one[:] = 0
        return own[:queries]


class _Counting(threading.local):
    """What a thread counts in."""

    def __init__(self) -> None:
        self.differing: list[NDArray[np.uint16]] = []


def multiply_alone(vectors: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the products (N,) of (N, d) vectors and (d,) query in one thread, as others run."""
    return np.einsum("nd,d->n", vectors, query)


def _find_border(differing: NDArray[np.uint16], bits: int, most: int) -> int:
    """Return in how many bits about `most` slots differ at most, or more of them, or all.

    Seen in a sample, so that not all have to be sorted.

    Args:
        differing: (S,) in how many bits each slot differs; more than `bits` where it is closed.
        bits: Bits that were compared.
        most: How many are wanted.
    """
    step = max(1, len(differing) // _SAMPLE)
    reached = np.bincount(differing[::step], minlength=bits + 1)[: bits + 1].cumsum()
    return min(int(np.searchsorted(step * reached, most)), bits)


def _choose(slots: NDArray[np.int64], costs: NDArray[np.number], count: int) -> NDArray[np.int64]:
    """Return the slots that cost least, `count` of them or all, in ascending order."""
    if len(slots) <= count:
        return slots
    return slots[np.sort(np.argpartition(costs, count)[:count])]


def _least_cosine(
    vectors: NDArray[np.float32], query: NDArray[np.float32], centre: NDArray[np.float32]
) -> float:
    """Return the least cosine of some vectors with a query, seen from the centre."""
    around, asked = vectors - centre, query - centre
    lengths = np.linalg.norm(around, axis=1) * np.linalg.norm(asked)
    return float((multiply_alone(around, asked) / np.maximum(lengths, 1e-12)).min())
