"""Vectors as bytes that carry a checksum, so that a bit that changed on the disk is noticed.

A picture is compared with its hash, but nothing else would tell a vector from a damaged one, and a
damaged one would give wrong answers without a word.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

SEAL = 4
"""Bytes of the checksum (CRC-32), which stand behind those of the vector."""

_REMAINDER = 0x2144DF1C
"""CRC-32 of any bytes with their own CRC-32 behind them, the lowest byte first."""


def to_blob(vector: NDArray[np.float32]) -> bytes:
    """Return the bytes of a vector as they are kept."""
    return seal_bytes(np.ascontiguousarray(vector, "<f4").tobytes())


def seal_bytes(content: bytes) -> bytes:
    """Put the checksum of some bytes behind them."""
    return content + zlib.crc32(content).to_bytes(SEAL, "little")


def strip_seal(blob: bytes) -> bytes:
    """Return sealed bytes without their checksum, whether or not it fits."""
    return blob[:-SEAL]


def is_whole(blob: bytes) -> bool:
    """Tell whether bytes are those that `seal_bytes` gave."""
    return len(blob) >= SEAL and zlib.crc32(blob) == _REMAINDER


def to_vector(blob: bytes) -> NDArray[np.float32]:
    """Return the vector of bytes that were kept.

    Raises:
        ValueError: They are not what was written.
    """
    if len(blob) % 4 or not is_whole(blob):
        raise ValueError("its checksum does not fit")
    return np.frombuffer(memoryview(blob)[:-SEAL], "<f4")
