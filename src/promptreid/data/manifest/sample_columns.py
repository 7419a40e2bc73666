"""The columns of a manifest, and what follows from one row or column alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from promptreid.data.images.boxes import Box, ImageSource

SPLITS = ("train", "val", "query", "gallery", "test", "distractor")
"""Roles of a sample.

`train` learns. `val` selects (its identities are those of train, or held out of train).
`query` and `gallery` are fixed test roles. `test` images get their role from the protocol, per
repeat. `distractor` images are gallery-only images of other subjects.
"""

TRAINING_SPLITS = ("train", "val")
TEST_SPLITS = ("query", "gallery", "test")
CORE_COLUMNS = ("path", "identity", "camera", "view", "domain", "split")
PLURALS = {
    "path": "paths",
    "identity": "identities",
    "camera": "cameras",
    "view": "views",
    "domain": "domains",
    "split": "splits",
}
"""Field of `SampleColumns` of each column of the table."""


@dataclass(frozen=True)
class SampleColumns:
    """All samples of a data set, column by column, not yet checked.

    Attributes:
        name: Name of the data set ("market1501", "hands11k-dorsal_right").
        root: Folder that relative paths start from.
        paths: POSIX paths, relative to `root` or absolute.
        identities: Names without surrounding space, never empty.
        cameras: Names likewise, None where unknown.
        views: Names likewise, None where unknown.
        domains: Never empty.
        splits: Each one of `SPLITS`.
        attributes: Column name to one string per sample, empty where missing.
        boxes: The part of its picture that each image is, None for all of it; may be left out where
            all are whole pictures.
        closed: Test identities may be known from training; images never are.
    """

    name: str
    root: Path
    paths: tuple[str, ...]
    identities: tuple[str, ...]
    cameras: tuple[str | None, ...]
    views: tuple[str | None, ...]
    domains: tuple[str, ...]
    splits: tuple[str, ...]
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    boxes: tuple[Box | None, ...] = ()
    closed: bool = False

    def __len__(self) -> int:
        return len(self.paths)

    def path(self, index: int) -> Path:
        """Return where the picture of one row lies on disk."""
        return self.root / self.paths[index]

    def image(self, index: int) -> ImageSource:
        """Return where the pixels of one row are: its file, and which part of it."""
        return ImageSource(self.path(index), self.boxes[index])

    def image_name(self, index: int) -> str:
        """Name the image of one row for people: its path, and its box where it has one."""
        box = self.boxes[index]
        return self.paths[index] if box is None else f"{self.paths[index]}, box {box}"

    def images(self) -> list[ImageSource]:
        """Return where the pixels of all rows are."""
        return [self.image(index) for index in range(len(self))]

    def image_keys(self) -> list[tuple[str, tuple[int, ...]]]:
        """Return (path, box) of every row: what makes an image; the box is empty for a whole one.

        Keys can be sorted.
        """
        return [
            (path, () if box is None else tuple(box))
            for path, box in zip(self.paths, self.boxes, strict=True)
        ]

    def identity_keys(self) -> list[tuple[str, str]]:
        """Return (domain, identity) of every row: what makes an identity unique."""
        return list(zip(self.domains, self.identities, strict=True))
