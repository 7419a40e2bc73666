"""Open every image file of a data set: can it be decoded, and is it there twice?"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from promptreid.data.image_files import (
    UnreadableImage,
    image_bytes,
    open_image,
    why_undecodable,
)
from promptreid.data.inspection import Duplicate, Unreadable
from promptreid.data.manifest import TRAINING_SPLITS, Manifest


def check_files(manifest: Manifest) -> tuple[tuple[Unreadable, ...], tuple[Duplicate, ...]]:
    """Read, decode and compare all image files, in threads.

    Args:
        manifest: The table.

    Returns:
        The files that cannot be decoded, and the groups of different files with equal bytes.
    """
    first: dict[str, int] = {}
    for row, path in enumerate(manifest.paths):
        first.setdefault(path, row)
    rows = list(first.values())
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        results = list(pool.map(_check_file, (manifest.path(row) for row in rows), chunksize=16))
    unreadable = [
        Unreadable(manifest.paths[row], reason)
        for row, (reason, _) in zip(rows, results, strict=True)
        if reason
    ]
    groups: dict[str, list[int]] = {}
    for row, (_, digest) in zip(rows, results, strict=True):
        if digest:
            groups.setdefault(digest, []).append(row)
    duplicates = [_duplicate(manifest, group) for group in groups.values() if len(group) > 1]
    return tuple(unreadable), tuple(duplicates)


def _check_file(path: Path) -> tuple[str, str]:
    """Return why a file cannot be decoded (empty when it can) and the SHA-256 of its bytes."""
    try:
        content = image_bytes(path)
    except UnreadableImage as error:
        return error.reason, ""
    return why_unreadable(content), hashlib.sha256(content).hexdigest()


def why_unreadable(content: bytes) -> str:
    """Decode an image fully and say what fails; empty when nothing does.

    Pillow does it, so that nothing heavy is imported; `images.read_image`, which training uses,
    refuses the same files.
    """
    try:
        with open_image(content) as image:
            image.verify()
        with open_image(content) as image:
            image.load()
            mode, source = image.mode, image.format
    except Exception as error:  # a broken file can make a decoder raise anything
        return why_undecodable(error, content)
    if mode == "F" or (mode == "I" and source not in ("PNG", "PPM")):
        return "its pixels are 32 bits wide, with no agreed brightness range"
    return ""


def _duplicate(manifest: Manifest, rows: Sequence[int]) -> Duplicate:
    splits = [manifest.splits[row] for row in rows]
    training = [split in TRAINING_SPLITS for split in splits]
    return Duplicate(
        paths=tuple(manifest.paths[row] for row in rows),
        splits=tuple(splits),
        identities=tuple(sorted({manifest.identities[row] for row in rows})),
        leak=any(training) and not all(training),
    )
