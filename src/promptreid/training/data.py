"""Training rows of one or several data sets, with class indices and side-information rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from promptreid.data.dataset import DataSet
from promptreid.data.manifest import Manifest, sort_identities
from promptreid.data.side import table_rows
from promptreid.data.validation import Kind, Validation, make_validation
from promptreid.errors import DataError

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TrainingData:
    """What the trainer learns from, and what chooses its best checkpoint.

    Attributes:
        paths: Image files, (N,).
        labels: (N,) class index of each image.
        cameras: (N,) row of the camera table, -1 where unknown.
        views: (N,) row of the view table, -1 where unknown.
        classes: Identity of each class, after its data set and domain when there are several.
        camera_values: Camera number of each row of the camera table.
        view_values: View number of each row of the view table.
        validations: Validation images of each data set that has some.
        fingerprint: One hash over the training rows of all data sets.
    """

    paths: tuple[Path, ...]
    labels: Ints
    cameras: Ints
    views: Ints
    classes: tuple[str, ...]
    camera_values: tuple[int, ...]
    view_values: tuple[int, ...]
    validations: tuple[Validation, ...]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.paths)


def training_data(
    datasets: Sequence[DataSet], *, validation: Kind, fraction: float, seed: int
) -> TrainingData:
    """Gather the training rows of all data sets; identities of different data sets never collide.

    Classes are ordered by data set, then by ascending identity, so that classifier rows do not
    depend on the order of files in a folder.

    Args:
        datasets: What `--data` named, in order.
        validation: "auto", "images", "identities" or "none".
        fraction: Part of the identities to hold out for "identities".
        seed: Seed of the drawing of validation images.

    Raises:
        DataError: There is no training image, or fewer than two identities.
    """
    paths: list[Path] = []
    names: list[str] = []
    classes: list[str] = []
    cameras: list[int | None] = []
    views: list[int | None] = []
    validations: list[Validation] = []
    prints: list[str] = []
    several = len(datasets) > 1
    for dataset in datasets:
        manifest, held = make_validation(dataset, kind=validation, fraction=fraction, seed=seed)
        validations += [held] if held is not None else []
        prefix = f"{dataset.manifest.name}/" if several else ""
        classes += _in_order(manifest, prefix)
        names += _class_names(manifest, prefix)
        paths += [manifest.path(row) for row in range(len(manifest))]
        # Camera 1 of one site is not camera 1 of another.
        cameras += _apart(manifest, manifest.cameras, len(prints), several=several)
        views += manifest.views
        prints.append(manifest.fingerprint())
    if len(classes) < 2:
        raise DataError(
            f"Training needs at least two identities; {_names(datasets)} has {len(classes)} "
            f"with {len(paths)} training images. Run `promptreid data inspect` on it."
        )
    if len(set(classes)) < len(classes):
        raise DataError(f"One data set is given twice: {_names(datasets)}.")
    index = {name: row for row, name in enumerate(classes)}
    camera_values = tuple(sorted({value for value in cameras if value is not None}))
    view_values = tuple(sorted({value for value in views if value is not None}))
    return TrainingData(
        paths=tuple(paths),
        labels=np.array([index[name] for name in names], dtype=np.int64),
        cameras=table_rows(cameras, camera_values),
        views=table_rows(views, view_values),
        classes=tuple(classes),
        camera_values=camera_values,
        view_values=view_values,
        validations=tuple(validations),
        fingerprint="+".join(prints),
    )


def _class_names(manifest: Manifest, prefix: str) -> list[str]:
    """Name each row's class; the domain is part of it where a manifest holds several."""
    if len(set(manifest.domains)) == 1:
        return [prefix + identity for identity in manifest.identities]
    return [f"{prefix}{domain}/{identity}" for domain, identity in manifest.identity_keys()]


def _in_order(manifest: Manifest, prefix: str) -> list[str]:
    """Return the classes by domain, then by ascending identity."""
    members: dict[str, set[str]] = {}
    for domain, identity in manifest.identity_keys():
        members.setdefault(domain, set()).add(identity)
    several = len(members) > 1
    return [
        f"{prefix}{domain}/{identity}" if several else prefix + identity
        for domain in sorted(members)
        for identity in sort_identities(members[domain])
    ]


_CAMERAS_PER_DOMAIN = 100_000


def _apart(
    manifest: Manifest, cameras: Sequence[int | None], position: int, *, several: bool
) -> list[int | None]:
    if not several:
        return list(cameras)
    offset = _CAMERAS_PER_DOMAIN * position
    return [None if camera is None else camera + offset for camera in cameras]


def _names(datasets: Sequence[DataSet]) -> str:
    return ", ".join(dataset.spec for dataset in datasets)
