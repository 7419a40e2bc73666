"""The proof that erased bytes are gone: pieces of them are looked for in every file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

LENGTH = 32
"""Bytes of a piece."""

STRIDE = 256
"""Bytes from one piece to the next. What is left of erased data is whole pages or cells of them,
and of any run of `STRIDE + LENGTH` bytes one whole piece is in it."""

_FEWEST_VALUES = 8
_CHUNK = 1 << 24
_READER = """
import sys
for path in sys.argv[2:]:
    try:
        with open(path, "rb", buffering=0) as file:
            content = b"."
            while content:
                content = file.read(int(sys.argv[1]))
                sys.stdout.buffer.write(len(content).to_bytes(8, "little") + content)
    except FileNotFoundError:
        pass
    except OSError as error:
        sys.exit(str(error))
"""
"""Writes each file in pieces, their length before each, and a piece of no length after the last."""


def choose_pieces(content: bytes) -> list[bytes]:
    """Cut pieces out of content that is about to be erased, such as hold several values."""
    starts = range(0, len(content) - LENGTH + 1, STRIDE)
    pieces = [content[start : start + LENGTH] for start in starts]
    return [piece for piece in pieces if len(set(piece)) >= _FEWEST_VALUES]


def find_in_files(files: Iterable[Path], pieces: Sequence[bytes]) -> list[bytes]:
    """Return those pieces that occur anywhere in some files, in order.

    The time it takes is that of reading the files, however many pieces there are.

    Args:
        files: Files; what is none is passed over.
        pieces: Each of `LENGTH` bytes.
    """
    if not pieces:
        return []
    return find_in_chunks(_chunks(path for path in files if path.is_file()), pieces)


def find_in_chunks(chunks: Iterable[bytes], pieces: Sequence[bytes]) -> list[bytes]:
    """Return those pieces that occur anywhere in some content, in order.

    Args:
        chunks: The content; two neighbours of one file share `LENGTH - 1` bytes.
        pieces: Each of `LENGTH` bytes, at least one.
    """
    wanted = set(pieces)
    starts = np.frombuffer(b"".join(piece[:8] for piece in wanted), "<u8")
    first_words = np.zeros(1 << 16, bool)
    first_words[starts & 0xFFFF] = True
    present: set[bytes] = set()
    for chunk in chunks:
        for place in _places(chunk, np.sort(starts), first_words):
            piece = chunk[place : place + LENGTH]
            if piece in wanted:
                present.add(piece)
    return [piece for piece in dict.fromkeys(pieces) if piece in present]


def _places(chunk: bytes, starts: np.ndarray, first_words: np.ndarray) -> list[int]:
    """Return where eight bytes stand that a piece begins with."""
    if len(chunk) < LENGTH:
        return []
    content = np.frombuffer(chunk, np.uint8)
    words = content[:-7].astype(np.uint16) | content[1:-6].astype(np.uint16) << 8
    places = np.flatnonzero(first_words[words])
    eight = content[places[:, None] + np.arange(8)].copy().view("<u8").ravel()
    # Words are too far apart for a table, which NumPy 2.0 tries for a single one, and overflows.
    return places[np.isin(eight, starts, kind="sort")].tolist()


def _chunks(files: Iterable[Path]) -> Iterator[bytes]:
    """Give the content of files in chunks; two neighbours of a file share `LENGTH - 1` bytes.

    A process of its own reads them: a process that closes a file lets go of all locks that it has
    on it, those of SQLite too (https://sqlite.org/howtocorrupt.html, 2.2).

    Raises:
        OSError: A file cannot be read.
    """
    command = [sys.executable, "-I", "-S", "-c", _READER, str(_CHUNK)]
    command += map(os.fspath, files)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stderr is not None
        rest = b""
        while len(size := reader.stdout.read(8)) == 8:
            read = reader.stdout.read(int.from_bytes(size, "little"))
            if read:
                yield rest + read
            rest = (rest + read)[-(LENGTH - 1) :] if read else b""
        words = reader.stderr.read().decode(errors="replace").strip()
    if reader.returncode:
        raise OSError(f"The files of a gallery cannot be read: {words or reader.returncode}.")
