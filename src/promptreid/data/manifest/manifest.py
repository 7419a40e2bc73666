"""The checked table of samples that every data set becomes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Self

import numpy as np

from promptreid.data.images.boxes import BOX_COLUMN, Box, ImageSource
from promptreid.data.manifest.manifest_rules import (
    CORE_COLUMNS,
    PLURALS,
    SPLITS,
    TEST_SPLITS,
    TRAINING_SPLITS,
    check_manifest,
)
from promptreid.data.manifest.name_order import sort_names
from promptreid.errors import DataError, unknown_name

__all__ = [
    "CORE_COLUMNS",
    "SPLITS",
    "TEST_SPLITS",
    "TRAINING_SPLITS",
    "Manifest",
    "Sample",
    "TrainingManifest",
]


@dataclass(frozen=True, slots=True)
class Sample:
    """One image: a row of a manifest.

    Attributes:
        path: POSIX path, relative to the manifest's root (or absolute).
        identity: Who or what is shown.
        split: One of `SPLITS`.
        camera: Name of the camera, None where unknown.
        view: Name of the viewpoint, None where unknown.
        domain: Where the image comes from; empty means the manifest's name.
        attributes: Free columns.
        box: The part of the picture that is the image; None for all of it.
    """

    path: str
    identity: str
    split: str
    camera: str | None = None
    view: str | None = None
    domain: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    box: Box | None = None


@dataclass(frozen=True)
class Manifest:
    """All samples of a data set, column by column, checked when built.

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

    Raises:
        DataError: When columns differ in length, a value is not allowed, an image is listed twice
            in one role, or training and test data share an image or, unless the set is closed, a
            (domain, identity).
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

    def __post_init__(self) -> None:
        if not self.boxes:
            object.__setattr__(self, "boxes", (None,) * len(self.paths))
        check_manifest(self)

    @classmethod
    def of(cls, name: str, root: Path, samples: Iterable[Sample], *, closed: bool = False) -> Self:
        """Build a manifest from rows.

        Args:
            name: Name of the data set; also the domain of samples without one.
            root: Folder that relative paths start from.
            samples: The rows, in the order to keep.
            closed: As in the class.

        Returns:
            The manifest; attribute columns are the union over all rows.

        Raises:
            DataError: As the class.
        """
        rows = list(samples)
        columns = dict.fromkeys(key for row in rows for key in row.attributes)
        return cls(
            name=name,
            root=root,
            paths=tuple(row.path for row in rows),
            identities=tuple(row.identity for row in rows),
            cameras=tuple(row.camera for row in rows),
            views=tuple(row.view for row in rows),
            domains=tuple(row.domain or name for row in rows),
            splits=tuple(row.split for row in rows),
            attributes={key: tuple(row.attributes.get(key, "") for row in rows) for key in columns},
            boxes=tuple(row.box for row in rows),
            closed=closed,
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Sample]:
        return (self.sample(index) for index in range(len(self)))

    def sample(self, index: int) -> Sample:
        """Return one row."""
        return Sample(
            path=self.paths[index],
            identity=self.identities[index],
            split=self.splits[index],
            camera=self.cameras[index],
            view=self.views[index],
            domain=self.domains[index],
            attributes={key: values[index] for key, values in self.attributes.items()},
            box=self.boxes[index],
        )

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

    def counts(self) -> dict[str, dict[str, int]]:
        """Count the images and identities of each split there is, in the order of the rows."""
        keys = self.identity_keys()
        found = {}
        for split in dict.fromkeys(self.splits):
            rows = self.indices(split)
            found[split] = {"images": len(rows), "identities": len({keys[row] for row in rows})}
        return found

    def indices(self, *splits: str) -> np.ndarray:
        """Return the rows of some splits, in order, as int64.

        Args:
            *splits: Names out of `SPLITS`; none means all rows.

        Raises:
            DataError: When a name is no split.
        """
        for split in splits:
            if split not in SPLITS:
                raise DataError(unknown_name("split", split, SPLITS))
        wanted = set(splits or SPLITS)
        return np.array([i for i, split in enumerate(self.splits) if split in wanted], np.int64)

    def select(self, indices: Sequence[int] | np.ndarray) -> Self:
        """Return a manifest of some rows, in the order given.

        Args:
            indices: Row numbers (N,).
        """
        rows = [int(index) for index in indices]
        columns = {
            column.name: tuple(getattr(self, column.name)[row] for row in rows)
            for column in fields(self)
            if column.name in (*PLURALS.values(), "boxes")
        }
        attributes = {
            key: tuple(values[row] for row in rows) for key, values in self.attributes.items()
        }
        return replace(self, **columns, attributes=attributes)

    def where(
        self,
        *,
        split: str | Collection[str] | None = None,
        domain: str | Collection[str] | None = None,
        identity: str | Collection[str] | None = None,
        camera: str | Collection[str] | None = None,
    ) -> Self:
        """Return the rows that fit all conditions given; each is one value or several."""
        tests: list[tuple[tuple[object, ...], Collection[object]]] = []
        for values, wanted in (
            (self.splits, split),
            (self.domains, domain),
            (self.identities, identity),
            (self.cameras, camera),
        ):
            if wanted is not None:
                tests.append((values, (wanted,) if isinstance(wanted, str) else set(wanted)))
        return self.select(
            [i for i in range(len(self)) if all(values[i] in wanted for values, wanted in tests)]
        )

    def with_splits(self, splits: Sequence[str]) -> Self:
        """Return the same rows with other roles; everything is checked again."""
        return replace(self, splits=tuple(splits))

    def training(self) -> TrainingManifest:
        """Return only the rows of `train` and `val`: all that training may ever see."""
        rows = self.select(self.indices(*TRAINING_SPLITS))
        return TrainingManifest(
            **{column.name: getattr(rows, column.name) for column in fields(rows)}
        )

    def identity_list(self, *splits: str) -> list[str]:
        """Return the distinct identity names of some splits in label order.

        Args:
            *splits: Names out of `SPLITS`; none means all rows.
        """
        return sort_names(self.identities[i] for i in self.indices(*splits))

    def fingerprint(self) -> str:
        """Return a SHA-256 in hex over all rows in order; `name` and `root` do not count."""
        digest = hashlib.sha256()
        for column in CORE_COLUMNS:
            digest.update(json.dumps([column, getattr(self, PLURALS[column])]).encode())
        if any(self.boxes):
            digest.update(json.dumps([BOX_COLUMN, self.boxes]).encode())
        for key in sorted(self.attributes):
            digest.update(json.dumps([key, self.attributes[key]]).encode())
        return digest.hexdigest()

    def to_csv(self, path: Path, *, absolute: bool = False) -> None:
        """Write the table as CSV; see `manifest_io.write_csv`."""
        from promptreid.data.manifest.manifest_files import write_csv

        write_csv(self, path, absolute=absolute)

    @classmethod
    def from_csv(
        cls,
        path: Path,
        *,
        name: str | None = None,
        root: Path | None = None,
        closed: bool = False,
    ) -> Manifest:
        """Read a table that `to_csv` wrote; see `manifest_io.read_csv`."""
        from promptreid.data.manifest.manifest_files import read_csv

        return read_csv(path, name=name, root=root, closed=closed)

    def to_parquet(self, path: Path, *, absolute: bool = False) -> None:
        """Write the table as Parquet; see `manifest_io.write_parquet`."""
        from promptreid.data.manifest.manifest_files import write_parquet

        write_parquet(self, path, absolute=absolute)

    @classmethod
    def from_parquet(
        cls,
        path: Path,
        *,
        name: str | None = None,
        root: Path | None = None,
        closed: bool = False,
    ) -> Manifest:
        """Read a table that `to_parquet` wrote; see `manifest_io.read_parquet`."""
        from promptreid.data.manifest.manifest_files import read_parquet

        return read_parquet(path, name=name, root=root, closed=closed)


@dataclass(frozen=True)
class TrainingManifest(Manifest):
    """A manifest that cannot hold a test image.

    Whatever takes this type instead of `Manifest` (validation, training) cannot be handed test
    data, by type and by check.

    Raises:
        DataError: As `Manifest`, and when a row is neither `train` nor `val`.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        for path, split in zip(self.paths, self.splits, strict=True):
            if split not in TRAINING_SPLITS:
                raise DataError(
                    f"A training table holds only the splits train and val, but {path} is {split}."
                )
