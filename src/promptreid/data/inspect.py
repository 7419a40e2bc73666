"""What is in a data set, and what is wrong with it, before anything is trained."""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from promptreid.data.dataset import DataSet
from promptreid.data.manifest import SPLITS, TRAINING_SPLITS, Manifest
from promptreid.data.protocol import Protocol

HISTOGRAM = ((1, 1), (2, 2), (3, 4), (5, 8), (9, 16), (17, 32), (33, 64), (65, None))


@dataclass(frozen=True)
class SplitSummary:
    """Counts of one split.

    Attributes:
        split: Its name.
        images: Number of images.
        identities: Number of (domain, identity).
        domains: Number of domains.
        cameras: Number of distinct cameras; 0 when unknown.
        views: Number of distinct views; 0 when unknown.
        per_identity: Fewest, median and most images of an identity.
        histogram: Range of images per identity ("3-4") to number of identities.
    """

    split: str
    images: int
    identities: int
    domains: int
    cameras: int
    views: int
    per_identity: tuple[int, float, int]
    histogram: dict[str, int]


@dataclass(frozen=True)
class ProtocolSummary:
    """How the data are tested, and which queries cannot be answered.

    Attributes:
        name: Name of the protocol.
        repeats: Number of repeats.
        queries: Fewest and most queries of a repeat.
        gallery: Fewest and most gallery images of a repeat.
        gallery_identities: Fewest and most gallery identities of a repeat.
        same_camera: The camera rule.
        ap: Primary AP definition.
        note: The protocol's own sentence.
        total_queries: Queries over all repeats.
        absent: Queries, over all repeats, whose identity is not in the gallery.
        same_camera_only: Queries, over all repeats, whose identity is in the gallery, but only in
            the query's own camera, which the rule ignores.
        examples: First paths of queries that cannot be answered.
    """

    name: str
    repeats: int
    queries: tuple[int, int]
    gallery: tuple[int, int]
    gallery_identities: tuple[int, int]
    same_camera: str
    ap: str
    note: str
    total_queries: int
    absent: int
    same_camera_only: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Unreadable:
    """An image that cannot be decoded, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Duplicate:
    """Files with the same bytes.

    Attributes:
        paths: The files.
        splits: Their splits.
        identities: Their distinct identities; more than one is a labelling mistake.
        leak: One is a training and one a test file.
    """

    paths: tuple[str, ...]
    splits: tuple[str, ...]
    identities: tuple[str, ...]
    leak: bool


@dataclass(frozen=True)
class Inspection:
    """All findings.

    Attributes:
        spec: Name of the data.
        name: Name of the manifest.
        root: Where the images lie.
        fingerprint: SHA-256 of the manifest's rows.
        images: Number of rows.
        splits: Counts per split that has images.
        protocol: How it is tested, or None.
        images_checked: Whether images were opened.
        unreadable: Images that cannot be decoded.
        duplicates: Files with equal bytes.
        notes: What the reader said.
        warnings: What deserves a look.
        problems: What makes the data unusable.
    """

    spec: str
    name: str
    root: str
    fingerprint: str
    images: int
    splits: tuple[SplitSummary, ...]
    protocol: ProtocolSummary | None
    images_checked: bool
    unreadable: tuple[Unreadable, ...]
    duplicates: tuple[Duplicate, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """True when nothing makes the data unusable; the command line exits with 0, else with 2."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain dicts, lists, strings and numbers, with `ok`."""
        return {"ok": self.ok, **_plain(asdict(self))}


def inspect_data(dataset: DataSet, *, check_images: bool = True) -> Inspection:
    """Count, decode and compare everything in a data set.

    Args:
        dataset: The data.
        check_images: Read each file: decode it fully and compare bytes.

    Returns:
        The findings. Unreadable images, no query that can be answered, nothing to train or test
        on, and equal files in training and test are problems; the rest are warnings.
    """
    manifest = dataset.manifest
    unreadable, duplicates = _check_files(manifest) if check_images else ((), ())
    splits = tuple(_summarise(manifest, split) for split in SPLITS if split in manifest.splits)
    protocol = _protocol_summary(manifest, dataset.protocol) if dataset.protocol else None
    return Inspection(
        spec=dataset.spec,
        name=manifest.name,
        root=str(manifest.root),
        fingerprint=manifest.fingerprint(),
        images=len(manifest),
        splits=splits,
        protocol=protocol,
        images_checked=check_images,
        unreadable=unreadable,
        duplicates=duplicates,
        notes=dataset.notes,
        warnings=tuple(_warnings(manifest, protocol, duplicates)),
        problems=tuple(_problems(manifest, protocol, unreadable, duplicates)),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


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
            _range_name(low, high): number
            for low, high in HISTOGRAM
            if (number := sum(low <= count and (high is None or count <= high) for count in counts))
        },
    )


def _range_name(low: int, high: int | None) -> str:
    if high is None:
        return f"{low}+"
    return str(low) if low == high else f"{low}-{high}"


def _protocol_summary(manifest: Manifest, protocol: Protocol) -> ProtocolSummary:
    names = np.array(["\x1f".join(key) for key in manifest.identity_keys()])
    codes = np.unique(names, return_inverse=True)[1]
    cameras = np.array([-1 if camera is None else camera for camera in manifest.cameras], np.int64)
    absent = own_camera = 0
    examples: list[str] = []
    for repeat in protocol.repeats:
        known, same = _match_counts(codes, cameras, repeat.query, repeat.gallery)
        hidden = (same == known) & (known > 0) if protocol.same_camera == "exclude" else known < 0
        absent += int((known == 0).sum())
        own_camera += int(hidden.sum())
        examples += [manifest.paths[row] for row in repeat.query[(known == 0) | hidden]]
    sizes = [(repeat.query.size, repeat.gallery.size) for repeat in protocol.repeats]
    people = [np.unique(codes[repeat.gallery]).size for repeat in protocol.repeats]
    queries, galleries = zip(*sizes, strict=True)
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

    An unknown camera (-1) is never the same camera.
    """
    known = np.bincount(codes[gallery], minlength=codes.max() + 1)[codes[query]]
    width = cameras.max() + 2
    pairs = codes * width + cameras + 1
    same = np.bincount(pairs[gallery], minlength=(codes.max() + 1) * width)[pairs[query]]
    return known, np.where(cameras[query] >= 0, same, 0)


def _check_files(manifest: Manifest) -> tuple[tuple[Unreadable, ...], tuple[Duplicate, ...]]:
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
    from PIL import Image

    try:
        content = path.read_bytes()
    except OSError as error:
        return error.strerror or str(error), ""
    digest = hashlib.sha256(content).hexdigest()
    if not content:
        return "the file is empty", ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content)) as image:
                image.verify()
            with Image.open(io.BytesIO(content)) as image:
                image.load()
    except Exception as error:  # Pillow's decoders raise many kinds on broken files
        return f"{type(error).__name__}: {error}".replace(str(io.BytesIO), "file"), digest
    return "", digest


def _duplicate(manifest: Manifest, rows: Sequence[int]) -> Duplicate:
    splits = [manifest.splits[row] for row in rows]
    training = [split in TRAINING_SPLITS for split in splits]
    return Duplicate(
        paths=tuple(manifest.paths[row] for row in rows),
        splits=tuple(splits),
        identities=tuple(sorted({manifest.identities[row] for row in rows})),
        leak=any(training) and not all(training),
    )


def _warnings(
    manifest: Manifest, protocol: ProtocolSummary | None, duplicates: Sequence[Duplicate]
) -> list[str]:
    found = []
    inside = [group for group in duplicates if not group.leak]
    if inside:
        found.append(
            f"{len(inside):,} groups of files have equal bytes, e.g. {inside[0].paths[:2]}."
        )
    mixed = [group for group in duplicates if len(group.identities) > 1]
    if mixed:
        found.append(
            f"{len(mixed):,} groups of equal files carry different identities, e.g. "
            f"{mixed[0].paths[:2]} as {mixed[0].identities[:2]}."
        )
    train = manifest.identity_list("train")
    if not train:
        found.append("There is nothing to train on.")
    elif len(train) < 2:
        found.append("Only one training identity: training needs at least two.")
    if protocol is None:
        found.append("There is nothing to test on.")
    elif lost := protocol.absent + protocol.same_camera_only:
        found.append(
            f"{lost:,} of {protocol.total_queries:,} queries can have no match: "
            f"{protocol.absent:,} because their identity is not in the gallery, "
            f"{protocol.same_camera_only:,} because it is there only in the query's own camera."
        )
    return found


def _problems(
    manifest: Manifest,
    protocol: ProtocolSummary | None,
    unreadable: Sequence[Unreadable],
    duplicates: Sequence[Duplicate],
) -> list[str]:
    found = []
    if unreadable:
        found.append(
            f"{len(unreadable):,} images cannot be read, e.g. {unreadable[0].path} "
            f"({unreadable[0].reason})."
        )
    leaks = [group for group in duplicates if group.leak]
    if leaks:
        found.append(
            f"{len(leaks):,} files are in both training and test under different names, e.g. "
            f"{leaks[0].paths[:2]}."
        )
    if (
        protocol is not None
        and protocol.absent + protocol.same_camera_only == protocol.total_queries
    ):
        hint = " Try same_camera=keep." if protocol.same_camera_only else ""
        found.append(f"No query can have a match.{hint}")
    if protocol is None and not manifest.indices("train").size:
        found.append("There is nothing to train on and nothing to test on.")
    return found
