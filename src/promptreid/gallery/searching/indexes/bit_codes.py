"""Vectors as one bit a dimension, compared by counting the bits in which they differ.

A vector, less a common centre, is turned by a fixed random rotation; the signs of what comes out
are its code. Two vectors at an angle differ in each bit with probability angle / pi (Charikar,
Similarity Estimation Techniques from Rounding Algorithms, STOC 2002), whatever the vectors are,
since it is the rotation that is random. That tells how many bits a vector of a given likeness
differs in at most, but for a small and known part of all rotations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

WORD = 64
_ROUNDS = 4
_SEED = 20260

MISSED = 0.00135
"""Part of the codes that differ in more bits than `bits_needed` says, by the normal tail."""
_DEVIATIONS = 3.0


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

    def bits_needed(self, cosine: float) -> int:
        """Return in how many bits codes differ at most, but for `MISSED` of them.

        Args:
            cosine: That of the angle between two vectors, seen from the centre.
        """
        bits = WORD * self.words
        part = math.acos(max(-1.0, min(1.0, cosine))) / math.pi
        return math.ceil(bits * part + _DEVIATIONS * math.sqrt(bits * part * (1 - part)))


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

    def count_differing(
        self,
        code: NDArray[np.uint64],
        run: Callable[[Callable[[int], None], Iterable[int]], object],
    ) -> NDArray[np.uint16]:
        """Return in how many bits each code differs from one.

        Args:
            code: (words,).
            run: Calls a function for each of some numbers, in threads or not.
        """
        differing = np.empty(len(self._blocks) * self._block, np.uint16)

        def count(block: int) -> None:
            out = differing[block * self._block : (block + 1) * self._block]
            _count_block(self._blocks[block], code, out)

        run(count, range(len(self._blocks)))
        return differing[: self._count]


def _count_block(
    block: NDArray[np.uint64], code: NDArray[np.uint64], out: NDArray[np.uint16]
) -> None:
    """Write into (N,) in how many bits the columns of a (words, N) block differ from a code."""
    other = np.empty(len(out), np.uint64)
    bits = np.empty(len(out), np.uint8)
    out[:] = 0
    for word, value in zip(block, code, strict=True):
        np.bitwise_xor(word, value, out=other)
        np.bitwise_count(other, out=bits)
        np.add(out, bits, out=out)
