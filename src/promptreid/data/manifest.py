"""The checked table of samples that every data set becomes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Self

import numpy as np

from promptreid.errors import DataError, unknown_name

SPLITS = ("train", "val", "query", "gallery", "test", "distractor")
"""Roles of a sample.

`train` learns. `val` selects (its identities are those of train, or held out of train).
`query` and `gallery` are fixed test roles. `test` images get their role from the protocol, per
repeat. `distractor` images are gallery-only images of other subjects.
"""

TRAINING_SPLITS = ("train", "val")
TEST_SPLITS = ("query", "gallery", "test")
CORE_COLUMNS = ("path", "identity", "camera", "view", "domain", "split")

_WHOLE_NUMBER = re.compile(r"-?[0-9]+")


def sort_identities(names: Iterable[str]) -> list[str]:
    """Order distinct identity names as a classifier orders its rows.

    Args:
        names: Identity names, repeats allowed.

    Returns:
        Ascending by value when every name is a whole number, otherwise in text order.
    """
    distinct = set(names)
    if all(_WHOLE_NUMBER.fullmatch(name) for name in distinct):
        return sorted(distinct, key=lambda name: (int(name), name))
    return sorted(distinct)


@dataclass(frozen=True, slots=True)
class Sample:
    """One image: a row of a manifest.

    Attributes:
        path: POSIX path, relative to the manifest's root (or absolute).
        identity: Who or what is shown.
        split: One of `SPLITS`.
        camera: 0-based camera, None where unknown.
        view: 0-based viewpoint, None where unknown.
        domain: Where the image comes from; empty means the manifest's name.
        attributes: Free columns.
    """

    path: str
    identity: str
    split: str
    camera: int | None = None
    view: int | None = None
    domain: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """All samples of a data set, column by column, checked when built.

    Attributes:
        name: Name of the data set ("market1501", "hands11k-dorsal_right").
        root: Folder that relative paths start from.
        paths: POSIX paths, relative to `root` or absolute.
        identities: Names without surrounding space, never empty.
        cameras: 0-based, None where unknown.
        views: 0-based, None where unknown.
        domains: Never empty.
        splits: Each one of `SPLITS`.
        attributes: Column name to one string per sample, empty where missing.

    Raises:
        DataError: When columns differ in length, a value is not allowed, an image is listed twice
            in one role, or training and test data share an image or a (domain, identity).
    """

    name: str
    root: Path
    paths: tuple[str, ...]
    identities: tuple[str, ...]
    cameras: tuple[int | None, ...]
    views: tuple[int | None, ...]
    domains: tuple[str, ...]
    splits: tuple[str, ...]
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_lengths(self)
        _check_values(self)
        _check_paths(self)
        _check_leaks(self)

    @classmethod
    def of(cls, name: str, root: Path, samples: Iterable[Sample]) -> Self:
        """Build a manifest from rows.

        Args:
            name: Name of the data set; also the domain of samples without one.
            root: Folder that relative paths start from.
            samples: The rows, in the order to keep.

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
        )

    def path(self, index: int) -> Path:
        """Return where the image of one row lies on disk."""
        return self.root / self.paths[index]

    def identity_keys(self) -> list[tuple[str, str]]:
        """Return (domain, identity) of every row: what makes an identity unique."""
        return list(zip(self.domains, self.identities, strict=True))

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
            if column.name not in ("name", "root", "attributes")
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
        camera: int | Collection[int] | None = None,
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
                tests.append((values, (wanted,) if isinstance(wanted, str | int) else set(wanted)))
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
        return sort_identities(self.identities[i] for i in self.indices(*splits))

    def fingerprint(self) -> str:
        """Return a SHA-256 in hex over all rows in order; `name` and `root` do not count."""
        digest = hashlib.sha256()
        for column in CORE_COLUMNS:
            digest.update(json.dumps([column, getattr(self, _PLURALS[column])]).encode())
        for key in sorted(self.attributes):
            digest.update(json.dumps([key, self.attributes[key]]).encode())
        return digest.hexdigest()

    def to_csv(self, path: Path, *, absolute: bool = False) -> None:
        """Write the table as CSV; see `manifest_io.write_csv`."""
        from promptreid.data.manifest_io import write_csv

        write_csv(self, path, absolute=absolute)

    @classmethod
    def from_csv(cls, path: Path, *, name: str | None = None, root: Path | None = None) -> Manifest:
        """Read a table that `to_csv` wrote; see `manifest_io.read_csv`."""
        from promptreid.data.manifest_io import read_csv

        return read_csv(path, name=name, root=root)

    def to_parquet(self, path: Path, *, absolute: bool = False) -> None:
        """Write the table as Parquet; see `manifest_io.write_parquet`."""
        from promptreid.data.manifest_io import write_parquet

        write_parquet(self, path, absolute=absolute)

    @classmethod
    def from_parquet(
        cls, path: Path, *, name: str | None = None, root: Path | None = None
    ) -> Manifest:
        """Read a table that `to_parquet` wrote; see `manifest_io.read_parquet`."""
        from promptreid.data.manifest_io import read_parquet

        return read_parquet(path, name=name, root=root)


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


_PLURALS = {
    "path": "paths",
    "identity": "identities",
    "camera": "cameras",
    "view": "views",
    "domain": "domains",
    "split": "splits",
}


def _check_lengths(manifest: Manifest) -> None:
    count = len(manifest.paths)
    if count == 0:
        raise DataError(f"Data set {manifest.name!r} has no samples.")
    lengths = {name: len(getattr(manifest, name)) for name in _PLURALS.values()}
    lengths |= {f"attribute {key!r}": len(column) for key, column in manifest.attributes.items()}
    wrong = [f"{name} has {length}" for name, length in lengths.items() if length != count]
    if wrong:
        raise DataError(
            f"All columns need {count} values, one for each path, but {', '.join(wrong)}."
        )
    clash = [key for key in manifest.attributes if key in CORE_COLUMNS or not key.strip()]
    if clash:
        raise DataError(
            f"An attribute cannot be named {clash[0]!r}; empty names and "
            f"{', '.join(CORE_COLUMNS)} are taken."
        )


def _check_values(manifest: Manifest) -> None:
    def first_bad(values: Sequence[object], good: Callable[[object], bool]) -> int | None:
        return next((i for i, value in enumerate(values) if not good(value)), None)

    def is_name(value: object) -> bool:
        return isinstance(value, str) and value != "" and value == value.strip()

    def is_number(value: object) -> bool:
        return value is None or (type(value) is int and value >= 0)

    rules: tuple[tuple[str, Callable[[object], bool], str], ...] = (
        ("identities", is_name, "a non-empty name without space around it"),
        ("domains", is_name, "a non-empty name without space around it"),
        ("cameras", is_number, "a whole number from 0, or unknown"),
        ("views", is_number, "a whole number from 0, or unknown"),
        ("splits", lambda value: value in SPLITS, f"one of {', '.join(SPLITS)}"),
    )
    for column, good, allowed in rules:
        values = getattr(manifest, column)
        row = first_bad(values, good)
        if row is not None:
            raise DataError(
                f"In {column} of {manifest.name!r}, row {row} ({manifest.paths[row]}) is "
                f"{values[row]!r}; it must be {allowed}."
            )


def _check_paths(manifest: Manifest) -> None:
    seen: dict[tuple[str, str], int] = {}
    for row, (path, split) in enumerate(zip(manifest.paths, manifest.splits, strict=True)):
        parts = path.removeprefix("/").split("/")
        if not all(parts) or "." in parts:
            raise DataError(
                f"Row {row} has the path {path!r}; write it as a plain POSIX path such as "
                "'images/a.jpg'."
            )
        if ".." in parts:
            raise DataError(f"The path {path!r} of row {row} climbs out of its folder with '..'.")
        first = seen.setdefault((path, split), row)
        if first != row:
            raise DataError(f"{path} is listed twice in split {split!r} (rows {first} and {row}).")


def _check_leaks(manifest: Manifest) -> None:
    paths: dict[str, set[str]] = {split: set() for split in SPLITS}
    people: dict[str, set[tuple[str, str]]] = {split: set() for split in SPLITS}
    for path, key, split in zip(
        manifest.paths, manifest.identity_keys(), manifest.splits, strict=True
    ):
        paths[split].add(path)
        people[split].add(key)
    for mine, theirs in (
        *((a, b) for a in TRAINING_SPLITS for b in (*TEST_SPLITS, "distractor")),
        ("train", "val"),
    ):
        if shared := paths[mine] & paths[theirs]:
            raise DataError(
                f"{len(shared)} images are in both {mine} and {theirs}, for example {min(shared)}."
            )
    for mine, theirs, why in (
        *((a, b, "test identities must be new") for a in TRAINING_SPLITS for b in TEST_SPLITS),
        ("distractor", "query", "a distractor would count as a right answer"),
        ("distractor", "test", "a distractor would count as a right answer"),
    ):
        if shared := people[mine] & people[theirs]:
            domain, identity = min(shared)
            raise DataError(
                f"{len(shared)} identities are in both {mine} and {theirs}, for example "
                f"{identity!r} of {domain!r}; {why}."
            )
    _check_validation_kind(people["train"], people["val"])


def _check_validation_kind(train: set[tuple[str, str]], val: set[tuple[str, str]]) -> None:
    for domain in sorted({domain for domain, _ in val}):
        mine = {key for key in val if key[0] == domain}
        known = mine & train
        if known and known != mine:
            raise DataError(
                f"Of the {len(mine)} validation identities of {domain!r}, {len(known)} are also in "
                f"train and {len(mine - known)} are not, for example {min(mine - known)[1]!r}. "
                "Either all or none may be."
            )
