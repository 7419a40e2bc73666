"""What is in a data set, and what is wrong with it, before anything is trained."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from statistics import median

import numpy as np

from promptreid.data.dataset import DataSet
from promptreid.data.inspection.file_checks import CheckedFiles, check_files
from promptreid.data.inspection.findings import (
    Inspection,
    ProtocolSummary,
    SplitSummary,
)
from promptreid.data.inspection.inspection_text import render_text
from promptreid.data.manifest.manifest import Manifest
from promptreid.data.manifest.name_order import number_names, sort_names
from promptreid.data.manifest.name_spellings import note_spellings
from promptreid.data.manifest.sample_columns import SPLITS
from promptreid.data.protocol import Protocol
from promptreid.progress import Progress, Silent

__all__ = ["Inspection", "inspect_data", "render_text"]

HISTOGRAM = {
    **{"1": (1, 1), "2": (2, 2), "3-4": (3, 4), "5-8": (5, 8), "9-16": (9, 16)},
    **{"17-32": (17, 32), "33-64": (33, 64), "65+": (65, math.inf)},
}
"""Name of each range of images per identity to the fewest and the most."""


def inspect_data(
    dataset: DataSet, *, check_images: bool = True, progress: Progress | None = None
) -> Inspection:
    """Count, decode and compare everything in a data set.

    Args:
        dataset: The data.
        check_images: Read each file: decode it fully and compare bytes.
        progress: Told of each file.

    Returns:
        The findings. Unreadable images, links to nothing, no query that can be answered, nothing to
        train or test on, and equal files in training and test are problems; the rest are warnings.
    """
    manifest = dataset.manifest
    spellings = note_spellings(manifest)
    checked = check_files(manifest, progress or Silent()) if check_images else CheckedFiles()
    splits = tuple(_summarise(manifest, split) for split in SPLITS if split in manifest.splits)
    protocol = _protocol_summary(manifest, dataset.protocol) if dataset.protocol else None
    return Inspection(
        spec=dataset.spec,
        name=manifest.name,
        root=str(manifest.root),
        fingerprint=manifest.fingerprint(),
        images=len(manifest),
        splits=splits,
        cameras=_images_of_each(manifest.cameras),
        views=_images_of_each(manifest.views),
        protocol=protocol,
        images_checked=check_images,
        sizes=checked.sizes,
        unreadable=checked.unreadable,
        duplicates=checked.duplicates,
        notes=tuple(note for note in dataset.notes if note not in spellings),
        warnings=(*spellings, *_warnings(manifest, protocol, checked)),
        problems=(*dataset.lost, *_problems(manifest, protocol, checked)),
    )


def _summarise(manifest: Manifest, split: str) -> SplitSummary:
    rows = manifest.indices(split)
    keys = manifest.identity_keys()
    counts = sorted(Counter(keys[row] for row in rows).values())
    return SplitSummary(
        split=split,
        images=len(rows),
        identities=len(counts),
        domains=len({manifest.domains[row] for row in rows}),
        cameras=len({manifest.cameras[row] for row in rows} - {None}),
        views=len({manifest.views[row] for row in rows} - {None}),
        per_identity=(counts[0], float(median(counts)), counts[-1]),
        histogram={
            name: number
            for name, (fewest, most) in HISTOGRAM.items()
            if (number := sum(fewest <= count <= most for count in counts))
        },
    )


def _images_of_each(names: Sequence[str | None]) -> dict[str, int]:
    counts = Counter(name for name in names if name is not None)
    return {name: counts[name] for name in sort_names(counts)}


def _protocol_summary(manifest: Manifest, protocol: Protocol) -> ProtocolSummary:
    names = np.array(["\x1f".join(key) for key in manifest.identity_keys()])
    codes = np.unique(names, return_inverse=True)[1]
    cameras = number_names(manifest.cameras)
    absent = own_camera = 0
    examples: list[str] = []
    for repeat in protocol.repeats:
        known, same = _match_counts(codes, cameras, repeat.query, repeat.gallery)
        hidden = (same == known) & (known > 0) if protocol.same_camera == "exclude" else known < 0
        absent += int((known == 0).sum())
        own_camera += int(hidden.sum())
        examples += [manifest.image_name(row) for row in repeat.query[(known == 0) | hidden]]
    queries = [repeat.query.size for repeat in protocol.repeats]
    galleries = [repeat.gallery.size for repeat in protocol.repeats]
    people = [np.unique(codes[repeat.gallery]).size for repeat in protocol.repeats]
    return ProtocolSummary(
        name=protocol.name,
        repeats=len(protocol.repeats),
        queries=(min(queries), max(queries)),
        gallery=(min(galleries), max(galleries)),
        gallery_identities=(min(people), max(people)),
        same_camera=protocol.same_camera,
        ap=protocol.ap,
        note=protocol.note,
        total_queries=sum(queries),
        absent=absent,
        same_camera_only=own_camera,
        examples=tuple(dict.fromkeys(examples))[:5],
    )


def _match_counts(
    codes: np.ndarray, cameras: np.ndarray, query: np.ndarray, gallery: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Count, for each query, gallery images of its identity, and of its identity and camera.

    Args:
        codes: (N,) number of each image's identity.
        cameras: (N,) number of its camera; an unknown one (-1) is never the same camera.
        query: Rows of the queries.
        gallery: Rows of the gallery.
    """
    known = np.bincount(codes[gallery], minlength=codes.max() + 1)[codes[query]]
    # Only pairs that occur are counted: identities times cameras may be very many.
    pairs = np.unique(codes * (cameras.max() + 2) + cameras, return_inverse=True)[1]
    same = np.bincount(pairs[gallery], minlength=pairs.max() + 1)[pairs[query]]
    return known, np.where(cameras[query] >= 0, same, 0)


def _warnings(
    manifest: Manifest,
    protocol: ProtocolSummary | None,
    checked: CheckedFiles,
) -> list[str]:
    warnings, clipped = [], checked.clipped
    if clipped:
        boxes = sum(box is not None for box in manifest.boxes)
        warnings.append(
            f"{len(clipped):,} of {boxes:,} boxes reach beyond their pictures and are clipped, "
            f"e.g. {clipped[0]}."
        )
    places: dict[tuple[str, tuple[int, ...]], set[str]] = {}
    for image, split in zip(manifest.image_keys(), manifest.splits, strict=True):
        places.setdefault(image, set()).add(split)
    both = [path for (path, _), splits in places.items() if {"query", "gallery"} <= splits]
    if both:
        warnings.append(
            f"{len(both):,} files are both query and gallery, e.g. {both[0]}; where the "
            "same-camera rule does not remove them, they find themselves."
        )
    inside = [group for group in checked.duplicates if not group.leak]
    if inside:
        warnings.append(
            f"{len(inside):,} groups of files have equal bytes, e.g. {inside[0].paths[:2]}."
        )
    mixed = [group for group in checked.duplicates if len(group.identities) > 1]
    if mixed:
        warnings.append(
            f"{len(mixed):,} groups of equal files carry different identities, e.g. "
            f"{mixed[0].paths[:2]} as {mixed[0].identities[:2]}."
        )
    train = manifest.identity_list("train")
    if not train:
        warnings.append("There is nothing to train on.")
    elif len(train) < 2:
        warnings.append("Only one training identity: training needs at least two.")
    if protocol is None:
        warnings.append("There is nothing to test on.")
    elif lost := protocol.absent + protocol.same_camera_only:
        warnings.append(
            f"{lost:,} of {protocol.total_queries:,} queries can have no match: "
            f"{protocol.absent:,} because their identity is not in the gallery, "
            f"{protocol.same_camera_only:,} because it is there only in the query's own camera."
        )
    return warnings


def _problems(
    manifest: Manifest,
    protocol: ProtocolSummary | None,
    checked: CheckedFiles,
) -> list[str]:
    problems, unreadable = [], checked.unreadable
    if unreadable:
        problems.append(
            f"{len(unreadable):,} images cannot be read, e.g. {unreadable[0].path} "
            f"({unreadable[0].reason})."
        )
    leaks = [group for group in checked.duplicates if group.leak]
    if leaks:
        problems.append(
            f"{len(leaks):,} files are in both training and test under different names, e.g. "
            f"{leaks[0].paths[:2]}."
        )
    if protocol is None:
        if not manifest.indices("train").size:
            problems.append("There is nothing to train on and nothing to test on.")
    elif protocol.absent + protocol.same_camera_only == protocol.total_queries:
        hint = " Try same_camera=keep." if protocol.same_camera_only else ""
        problems.append(f"No query can have a match.{hint}")
    return problems
