"""Findings about a data set, as values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class SplitSummary:
    """Counts of one split.

    Attributes:
        split: Name of the split.
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
class PixelSizes:
    """How large images are: width and height in pixels.

    Attributes:
        median: Median width and median height.
        smallest: Size of the image of the fewest pixels.
        largest: Size of the image of the most pixels.
        height_by_width: Median of height over width.
    """

    median: tuple[int, int]
    smallest: tuple[int, int]
    largest: tuple[int, int]
    height_by_width: float


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
        cameras: Name of each camera to the number of its images, in the order of names.
        views: Name of each view to the number of its images, likewise.
        protocol: How it is tested, or None.
        images_checked: Whether images were opened.
        sizes: How large the images are; None where none was opened or none can be read.
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
    cameras: dict[str, int]
    views: dict[str, int]
    protocol: ProtocolSummary | None
    images_checked: bool
    sizes: PixelSizes | None
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
        """Return everything, with `ok`, as dicts, tuples, strings and numbers, ready for JSON."""
        return {"ok": self.ok, **asdict(self)}
