"""Folders of shards in tests: how they are made, and what is in them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from promptreid.inference.shards.shard_job import ShardOptions

OPTIONS = ShardOptions(shard_rows=7, batch_size=3, threads=1)
"""Several shards of a few images, and several batches in a shard."""


def hash_files(out: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a folder, hidden ones too."""
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }
