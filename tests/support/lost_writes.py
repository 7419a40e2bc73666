"""What a disk holds after a loss of power: what was synchronised, and of the rest any part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from system_calls import Call

SECTOR = 512
"""Bytes that a disk writes whole or not at all."""


class Disk:
    """Follows what is synchronised in a folder, and loses the rest."""

    def __init__(self, folder: Path) -> None:
        """Take all that is there as written for good."""
        self._folder = folder
        self._kept = {path.name: path.read_bytes() for path in folder.iterdir()}

    def follow(self, call: Call) -> None:
        """Take note of a call that was made; names count as written at once."""
        path = self._folder / call.file
        if call.name in ("fsync", "fdatasync") and path.exists():
            self._kept[call.file] = path.read_bytes()
        elif call.name == "unlink":
            self._kept.pop(call.file, None)

    def lose_power(self, seed: int) -> None:
        """Let sectors that were not synchronised be as before, or as they should, at random."""
        rng = np.random.default_rng(seed)
        share = rng.choice([0.0, 0.5, 0.9])
        for path in list(self._folder.iterdir()):
            if path.name.endswith("-shm"):  # memory that processes share
                path.unlink()
                continue
            kept, written = self._kept.get(path.name, b""), path.read_bytes()
            size = len(kept if rng.random() < 0.5 else written)
            content = bytearray(kept[:size].ljust(size, b"\0"))
            for start in range(0, min(size, len(written)), SECTOR):
                if rng.random() < share:
                    part = written[start : min(start + SECTOR, size)]
                    content[start : start + len(part)] = part
            path.write_bytes(content)
