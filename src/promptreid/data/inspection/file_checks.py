"""Open every image file of a data set: can it be decoded, and is it there twice?"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import NamedTuple

from promptreid.data.images.boxes import Box, box_outside
from promptreid.data.images.decoding_budget import default_threads
from promptreid.data.images.image_files import (
    UnreadableImage,
    image_bytes,
    open_image,
    why_undecodable,
)
from promptreid.data.inspection.findings import Duplicate, PixelSizes, Unreadable
from promptreid.data.manifest.manifest import Manifest
from promptreid.data.manifest.sample_columns import TRAINING_SPLITS
from promptreid.progress import Progress
from promptreid.progress.counted_task import counting


class FileCheck(NamedTuple):
    """What is found of one picture.

    Attributes:
        reason: Why it cannot be decoded; empty when it can.
        digest: SHA-256 of the file's bytes, in hex; empty when there are none.
        size: Width and height of the upright picture in pixels; zeros where it cannot be decoded.
    """

    reason: str
    digest: str
    size: tuple[int, int]


class CheckedFiles(NamedTuple):
    """What is found of all pictures of a data set.

    Attributes:
        unreadable: Images that cannot be had.
        duplicates: Groups of different files with equal bytes and equal boxes.
        clipped: Images whose boxes reach beyond their pictures.
        sizes: How large the images are, boxes cut out; None where none can be had.
    """

    unreadable: tuple[Unreadable, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    clipped: tuple[str, ...] = ()
    sizes: PixelSizes | None = None


def check_files(manifest: Manifest, progress: Progress) -> CheckedFiles:
    """Read, decode and compare all image files, in threads; each file once.

    Args:
        manifest: The data.
        progress: Told of each file.
    """
    files, checks = dict.fromkeys(manifest.paths), {}
    task = counting(progress, f"looking at images of {manifest.name}", len(files), "images")
    with task, ThreadPoolExecutor(default_threads(), "promptreid-check") as pool:
        results = pool.map(_check_file, (manifest.root / path for path in files), chunksize=16)
        for path, check in zip(files, results, strict=True):
            checks[path] = check
            progress.advance(1)
    unreadable, clipped, sizes = [], [], []
    groups: dict[tuple[str, Box | None], list[int]] = {}
    seen = set()
    for row, (path, box) in enumerate(zip(manifest.paths, manifest.boxes, strict=True)):
        check = checks[path]
        if (key := (path, None if check.reason else box)) in seen:
            continue
        seen.add(key)
        if check.reason:
            unreadable.append(Unreadable(path, check.reason))
            continue
        part = None if box is None else box.within(*check.size)
        if box is not None and part is None:
            reason = box_outside(box, *check.size)
            unreadable.append(Unreadable(manifest.image_name(row), reason))
            continue
        sizes.append(check.size if part is None else (part.width, part.height))
        if part != box:
            clipped.append(manifest.image_name(row))
        groups.setdefault((check.digest, box), []).append(row)
    duplicates = [_duplicate(manifest, group) for group in groups.values() if len(group) > 1]
    return CheckedFiles(
        tuple(unreadable), tuple(duplicates), tuple(clipped), _summarise_sizes(sizes)
    )


def _summarise_sizes(sizes: Sequence[tuple[int, int]]) -> PixelSizes | None:
    if not sizes:
        return None
    widths, heights = zip(*sizes, strict=True)
    shape = median(height / width for width, height in sizes)
    return PixelSizes(
        median=(round(median(widths)), round(median(heights))),
        smallest=min(sizes, key=lambda size: size[0] * size[1]),
        largest=max(sizes, key=lambda size: size[0] * size[1]),
        height_by_width=round(shape, 3),
    )


def _check_file(path: Path) -> FileCheck:
    try:
        content = image_bytes(path)
    except UnreadableImage as error:
        return FileCheck(error.reason, "", (0, 0))
    reason, size = _decode(content)
    return FileCheck(reason, hashlib.sha256(content).hexdigest(), size)


def _decode(content: bytes) -> tuple[str, tuple[int, int]]:
    """Return what fails in decoding, empty when nothing does, and the size of the upright picture.

    Pillow does it, so that nothing heavy is imported; `read_image`, which training uses, refuses
    the same files.
    """
    from promptreid.data.images.orientation import upright_size

    try:
        with open_image(content) as image:
            image.load()
            mode, source = image.mode, image.format
            size = upright_size(image)
    except Exception as error:  # a broken file can make a decoder raise anything
        return why_undecodable(error, content), (0, 0)
    if mode == "F" or (mode == "I" and source not in ("PNG", "PPM")):
        return "its pixels are 32 bits wide, with no agreed brightness range", (0, 0)
    return "", size


def _duplicate(manifest: Manifest, rows: Sequence[int]) -> Duplicate:
    splits = [manifest.splits[row] for row in rows]
    training = [split in TRAINING_SPLITS for split in splits]
    return Duplicate(
        paths=tuple(manifest.image_name(row) for row in rows),
        splits=tuple(splits),
        identities=tuple(sorted({manifest.identities[row] for row in rows})),
        leak=any(training) and not all(training),
    )
