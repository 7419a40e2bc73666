"""The checked table of samples that every data set becomes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Self

import numpy as np

from promptreid.data.images.boxes import BOX_COLUMN, Box
from promptreid.data.manifest.manifest_rules import check_manifest
from promptreid.data.manifest.name_order import sort_names
from promptreid.data.manifest.sample_columns import (
    CORE_COLUMNS,
    PLURALS,
    SPLITS,
    TRAINING_SPLITS,
    SampleColumns,
)
from promptreid.errors import DataError, unknown_name
from promptreid.text.lists import counted


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


@dataclass(frozen=True, repr=False)
class Manifest(SampleColumns):
    """All samples of a data set, checked when built.

    Raises:
        DataError: When columns differ in length, a value is not allowed, an image is listed twice
            in one role, or training and test data share an image or, unless the set is closed, a
            (domain, identity).
    """

    def __post_init__(self) -> None:
        if not self.boxes:
            object.__setattr__(self, "boxes", (None,) * len(self.paths))
        check_manifest(self)

    def __repr__(self) -> str:
        return f"Manifest({self.name!r}, {counted(len(self), 'image')} in {str(self.root)!r})"

    @classmethod
    def of(cls, name: str, root: Path, samples: Iterable[Sample], *, closed: bool = False) -> Self:
        """Build a manifest from rows.

        Args:
            name: Name of the data set; also the domain of samples without one.
            root: Folder that relative paths start from.
            samples: The rows, in the order to keep.
            closed: Whether test identities may be known from training.

        Returns:
            The manifest; attribute columns are the union over all rows.

        Raises:
            DataError: The same as for the class.
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

    def counts(self) -> dict[str, dict[str, int]]:
        """Count the images and identities of each split there is, in the order of the rows."""
        keys = self.identity_keys()
        counts = {}
        for split in dict.fromkeys(self.splits):
            rows = self.indices(split)
            counts[split] = {"images": len(rows), "identities": len({keys[row] for row in rows})}
        return counts

    def indices(self, *splits: str) -> np.ndarray:
        """Return the rows of some of `SPLITS`, of all where none is named, in order, as int64.

        Raises:
            DataError: When a name is no split.
        """
        for split in splits:
            if split not in SPLITS:
                raise DataError(unknown_name("split", split, SPLITS))
        wanted = set(splits or SPLITS)
        return np.array([i for i, split in enumerate(self.splits) if split in wanted], np.int64)

    def select(self, indices: Sequence[int] | np.ndarray) -> Self:
        """Return a manifest of some rows (N,), in the order given."""
        rows = [int(index) for index in indices]
        columns = {
            name: tuple(getattr(self, name)[row] for row in rows)
            for name in (*PLURALS.values(), "boxes")
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
        """Return the distinct identity names of some of `SPLITS`, or of all, in label order."""
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


@dataclass(frozen=True)
class TrainingManifest(Manifest):
    """A manifest that cannot hold a test image.

    Whatever takes this type instead of `Manifest` (validation, training) cannot be handed test
    data, by type and by check.

    Raises:
        DataError: The same as for `Manifest`, and when a row is neither `train` nor `val`.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        for path, split in zip(self.paths, self.splits, strict=True):
            if split not in TRAINING_SPLITS:
                raise DataError(
                    f"A training table holds only the splits train and val, but {path} is {split}."
                )
