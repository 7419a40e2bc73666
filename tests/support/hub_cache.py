"""The cache of the Hugging Face Hub, laid out by hand as its client lays it out."""

from __future__ import annotations

import shutil
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def put_in_cache(
    cache: Path, repository: str, source: Path, name: str, *, revision: str = "main"
) -> Path:
    """Put a file into a repository's snapshot, as a link to its content; return where it lies."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    snapshot = folder / "snapshots" / COMMIT
    for made in (folder / "refs", folder / "blobs", (snapshot / name).parent):
        made.mkdir(parents=True, exist_ok=True)
    (folder / "refs" / revision).write_text(COMMIT)
    blob = folder / "blobs" / f"{len(list((folder / 'blobs').iterdir())):040d}"
    shutil.copyfile(source, blob)
    (snapshot / name).symlink_to(blob)
    return snapshot / name
