"""Vectors as one bit a dimension, compared by counting the bits in which they differ.

A vector, less a common centre, is turned by a fixed random rotation; the signs of what comes out
are its code. Two vectors at an angle differ in each bit with probability angle / pi (Charikar,
Similarity Estimation Techniques from Rounding Algorithms, STOC 2002), whatever the vectors are,
since it is the rotation that is random. That tells how many bits a vector of a given likeness
differs in at most, but for a small and known part of all rotations.

A query need not be a code. The signs of a vector times the numbers of the turned query estimate the
cosine of the two with half the error of the bits. Over random rotations the mean of the product,
for lengths of 1, is sqrt(2 / pi) times the cosine c; so divided, it has the variance
(pi / 2 - 1 - c^2 / 2) / bits.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WORD = 64
_ROUNDS = 4
_SEED = 20260

MISSED = 0.0019
"""Part of all that `bits_needed` and `least_estimate` leave out, by the normal tail."""
_DEVIATIONS_OF_SOME = 3.0  # where some words are compared, at first
_DEVIATIONS = 3.5
_COUNTED_AT_A_TIME = 1 << 16
_BYTE = 256
_SAMPLED = 64
"""One code in so many is in the sample."""

Run = Callable[[Callable[[int], None], Iterable[int]], object]
"""Calls a function for each of some numbers, in threads or not."""


class BitCoder:
    """Makes codes of vectors of one width around one centre.

    Attributes:
        centre: (d,) the point around which vectors lie.
        words: Words of 64 bits of a code; d / 64, rounded up.
    """

    def __init__(self, centre: NDArray[np.float32]) -> None:
        self.centre = centre
        self.words = -(-len(centre) // WORD)
        self._rotation = draw_rotation(WORD * self.words)[: len(centre)]

    def encode(self, vectors: NDArray[np.float32]) -> NDArray[np.uint64]:
        """Return the codes (N, words) of (N, d) vectors."""
        turned = (vectors - self.centre) @ self._rotation
        return np.packbits(turned > 0, axis=1).view(np.uint64)

    def ask(self, query: NDArray[np.float32]) -> AskedCode:
        """Return the code of a query (d,) and what estimates cosines with it."""
        turned = (query - self.centre) @ self._rotation
        length = max(float(np.linalg.norm(turned)), 1e-12)
        weights = turned * (math.sqrt(math.pi / (2 * len(turned))) / length)
        by_byte = weights.reshape(-1, 8) @ _SIGNS.T
        return AskedCode(np.packbits(turned > 0).view(np.uint64), by_byte.ravel())

    def bits_needed(self, cosine: float, words: int) -> int:
        """Return in how many bits some words of codes differ at most, but for few of them.

        Args:
            cosine: That of the angle between two vectors, seen from the centre.
            words: How many words; where it is not all of them, more are left out.
        """
        bits = WORD * words
        part = math.acos(max(-1.0, min(1.0, cosine))) / math.pi
        deviations = _DEVIATIONS if words == self.words else _DEVIATIONS_OF_SOME
        return min(bits, math.ceil(bits * part + deviations * math.sqrt(bits * part * (1 - part))))

    def least_estimate(self, cosine: float) -> float:
        """Return what the cosine of two vectors is estimated as at least, but for few of them.

        Args:
            cosine: That of the angle between two vectors, seen from the centre.
        """
        variance = (math.pi / 2 - 1 - cosine**2 / 2) / (WORD * self.words)
        return cosine - _DEVIATIONS * math.sqrt(variance)


def draw_rotation(width: int) -> NDArray[np.float32]:
    """Return a random orthogonal matrix (width, width), the same on every machine.

    Random signs and Hadamard transforms of the largest power of two that fits, by turns at both
    ends, mix every dimension with every other.
    """
    rng = np.random.default_rng(_SEED)
    rows = np.eye(width)
    size = 1 << (width.bit_length() - 1)
    for turn in range(_ROUNDS):
        rows *= rng.integers(0, 2, width) * 2 - 1
        part = slice(0, size) if turn % 2 == 0 else slice(width - size, width)
        rows[:, part] = _transform(rows[:, part])
    return rows.astype(np.float32)


def _transform(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Hadamard transform of each row, which keeps lengths."""
    count, size = rows.shape
    step = 1
    while step < size:
        pairs = rows.reshape(count, -1, 2, step)
        first, second = pairs[:, :, 0], pairs[:, :, 1]
        rows = np.stack([first + second, first - second], axis=2).reshape(count, size)
        step *= 2
    return rows / math.sqrt(size)


_SIGNS = 2 * np.unpackbits(np.arange(_BYTE, dtype=np.uint8)[:, None], axis=1).astype(np.float32) - 1
"""(256, 8) signs that a byte of a code stands for."""


@dataclass(frozen=True, eq=False)
class AskedCode:
    """A query as codes are compared with it.

    Attributes:
        code: (words,) that of the query.
        weights: (bytes * 256,) what each value of each byte of a code adds to the estimate.
    """

    code: NDArray[np.uint64]
    weights: NDArray[np.float32]

    def estimate(self, codes: NDArray[np.uint64]) -> NDArray[np.float32]:
        """Estimate the cosines (N,) of vectors with the query, seen from the centre.

        Args:
            codes: (N, words) of the vectors.
        """
        values = np.ascontiguousarray(codes.T).view(np.uint8).reshape(codes.shape[1], -1, 8)
        places = values + _BYTE * np.arange(8 * codes.shape[1]).reshape(-1, 1, 8)
        return self.weights.take(places, mode="clip").sum(axis=0).sum(axis=1)


class CodeBlocks:
    """Codes in memory, in blocks of which each word stands together, so that scans are fast."""

    def __init__(self, words: int, block: int) -> None:
        """Begin without a code.

        Args:
            words: Words of a code.
            block: Codes of a block.
        """
        self._words = words
        self._block = block
        self._blocks: list[NDArray[np.uint64]] = []
        self._count = 0
        self._sample = np.zeros((words, 0), np.uint64)
        self._sampled_count = 0
        self._scratch = _Scratch()

    def __len__(self) -> int:
        return self._count

    def extend(self, codes: NDArray[np.uint64]) -> None:
        """Put codes (N, words) at the end."""
        while len(codes):
            room = len(self._blocks) * self._block - self._count
            if not room:
                self._blocks.append(np.zeros((self._words, self._block), np.uint64))
                room = self._block
            part, codes = codes[:room], codes[room:]
            start = self._block - room
            self._blocks[-1][:, start : start + len(part)] = part.T
            self._count += len(part)

    def add_differing(
        self,
        codes: NDArray[np.uint64],
        words: slice,
        differing: Sequence[NDArray[np.uint16]],
        run: Run,
        borders: Sequence[int] = (),
    ) -> list[NDArray[np.int64]]:
        """Add in how many bits each code differs from each of some others.

        Args:
            codes: (Q, words) the others.
            words: Which words are compared.
            differing: What is added to, (len(self),) for each of the others.
            run: Counts the codes part by part.
            borders: For each of the others, up to which sum slots are listed; empty for no list.

        Returns:
            For each border, the slots whose sum is at most that, in ascending order.
        """
        asked = codes[:, words].T
        starts = range(0, self._count, _COUNTED_AT_A_TIME)

        def count(place: int) -> None:
            start = starts[place]
            outs = [one[start : start + _COUNTED_AT_A_TIME] for one in differing]
            length, first = len(outs[0]), start % self._block
            other, bits = self._scratch.other[:length], self._scratch.bits[:length]
            compared = self._blocks[start // self._block][words, first : first + length]
            for word, values in zip(compared, asked, strict=True):
                for value, out in zip(values, outs, strict=True):
                    np.bitwise_xor(word, value, out=other)
                    np.bitwise_count(other, out=bits)
                    np.add(out, bits, out=out)
            for out, border in zip(outs, borders, strict=False):
                listed[place].append(np.flatnonzero(out <= border) + start)

        listed: list[list[NDArray[np.int64]]] = [[] for _ in starts]
        run(count, range(len(starts)))
        return [np.concatenate(parts) for parts in zip(*listed, strict=True)]

    def find_border(self, code: NDArray[np.uint64], words: slice, part: int) -> int:
        """Return in how many bits of some words about one of `part` codes differs at most.

        Args:
            code: (words,) the code that they are compared with.
            words: Which words are compared.
            part: One in how many.
        """
        if self._count > self._sampled_count + self._sampled_count // 8:
            self._sample = np.concatenate([one[:, ::_SAMPLED] for one in self._blocks], axis=1)
            self._sampled_count = self._count
        sample = self._sample[words, : -(-self._sampled_count // _SAMPLED)]
        sums = np.bitwise_count(sample ^ code[words, None]).sum(0, dtype=np.int64)
        return int(np.partition(sums, len(sums) // part)[len(sums) // part])

    def read(self, slots: NDArray[np.int64], words: slice = slice(None)) -> NDArray[np.uint64]:
        """Return some words (N, words) of the codes at some slots (N,), which ascend."""
        bounds = np.searchsorted(slots, np.arange(len(self._blocks) + 1) * self._block).tolist()
        codes = np.empty((len(range(self._words)[words]), len(slots)), np.uint64)
        for block, (start, end) in enumerate(itertools.pairwise(bounds)):
            if start < end:
                places = slots[start:end] - block * self._block
                for word, out in zip(self._blocks[block][words], codes, strict=True):
                    word.take(places, out=out[start:end], mode="clip")
        return codes.T


class _Scratch(threading.local):
    """Memory that each thread counts in, since to ask for it each time takes half of the time."""

    def __init__(self) -> None:
        self.other = np.empty(_COUNTED_AT_A_TIME, np.uint64)
        self.bits = np.empty(_COUNTED_AT_A_TIME, np.uint8)
