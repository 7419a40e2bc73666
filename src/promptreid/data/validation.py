"""Validation data out of the training rows: never a test identity.

Everything here works on a `TrainingManifest`, which cannot hold a test image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from promptreid.data.dataset import DataSet
from promptreid.data.draws import (
    draw_across_cameras,
    draw_gallery,
    draw_one_each,
    generator,
    pick,
    rows_by_identity,
)
from promptreid.data.manifest import TRAINING_SPLITS, Manifest, TrainingManifest
from promptreid.data.protocol import Protocol, Repeat
from promptreid.errors import ConfigError, DataError, unknown_name

KINDS = ("auto", "images", "identities", "none")
Kind = Literal["auto", "images", "identities", "none"]


@dataclass(frozen=True)
class Validation:
    """Validation queries and gallery.

    Attributes:
        manifest: Training rows only, by type.
        protocol: Rows of that manifest.

    Raises:
        TypeError: When the manifest is of a type that could hold test images.
        DataError: When the protocol names a row that is not there.
    """

    manifest: TrainingManifest
    protocol: Protocol

    def __post_init__(self) -> None:
        if not isinstance(self.manifest, TrainingManifest):
            raise TypeError(f"Validation takes a TrainingManifest, not {type(self.manifest)}.")
        self.protocol.check(self.manifest, query=TRAINING_SPLITS, gallery=TRAINING_SPLITS)


def make_validation(
    dataset: DataSet, *, kind: Kind = "auto", fraction: float = 0.1, seed: int = 0
) -> tuple[Manifest, Validation | None]:
    """Share the training rows out between learning and validation.

    Args:
        dataset: The data; its test rows are never looked at.
        kind: `auto` uses the data set's own validation rows, if it has any. `images` takes one
            random image of each training identity with at least two as query, the rest is the
            gallery. `identities` holds whole identities out of training. `none` uses only the
            rows of split train and validates on nothing. `images` and `identities` first put the
            data set's own validation rows back to training.
        fraction: Share of the identities to hold out, above 0 and below 1; for `identities`.
        seed: Seed of the draws.

    Returns:
        The rows that learn (all of split train), and the validation, or None.

    Raises:
        ConfigError: When `kind` or `fraction` is not allowed.
        DataError: When there is no training row, or too few images or identities to validate on.
    """
    if kind not in KINDS:
        raise ConfigError(unknown_name("kind of validation", kind, KINDS))
    if not 0 < fraction < 1:
        raise ConfigError(f"The validation fraction is {fraction}; it must lie between 0 and 1.")
    if not dataset.manifest.indices(*TRAINING_SPLITS).size:
        raise DataError(f"Data set {dataset.manifest.name!r} has no training images.")
    rows = dataset.manifest.training()
    if kind == "images":
        rows = _one_image_each(rows, seed)
    elif kind == "identities":
        rows = _whole_identities(rows, fraction, seed)
    train = rows.indices("train")
    if not train.size:
        raise DataError(f"Data set {rows.name!r} has validation images but none to train on.")
    has_validation = kind != "none" and "val" in rows.splits
    return rows.select(train), _validation(rows, seed) if has_validation else None


def _one_image_each(rows: TrainingManifest, seed: int) -> TrainingManifest:
    chosen = draw_one_each(rows, range(len(rows)), seed=seed, purpose="validation images")
    if not chosen:
        raise DataError(
            "No training identity has two images, so none can be spared for validation; use "
            "identities or none instead of images."
        )
    return _split(rows, chosen)


def _whole_identities(rows: TrainingManifest, fraction: float, seed: int) -> TrainingManifest:
    """Hold out identities that can be searched for: seen twice, and by two cameras if known."""
    across = _cameras_known(rows)
    groups = rows_by_identity(rows, range(len(rows)))
    able = [
        key
        for key, group in groups.items()
        if len(group) > 1 and (not across or len({rows.cameras[row] for row in group}) > 1)
    ]
    count = max(2, round(fraction * len(groups)))
    if len(able) < count or len(groups) - count < 2:
        seen = "two cameras" if across else "two images"
        raise DataError(
            f"Holding out {count} of {len(groups)} training identities needs {count} with {seen} "
            f"(there are {len(able)}) and must leave two to train on; use images instead."
        )
    held = pick(able, count, generator(seed, rows.name, "validation identities"))
    return _split(rows, [row for key in held for row in groups[key]])


def _split(rows: TrainingManifest, chosen: list[int]) -> TrainingManifest:
    splits = ["train"] * len(rows)
    for row in chosen:
        splits[row] = "val"
    return rows.with_splits(splits)


def _validation(rows: TrainingManifest, seed: int) -> Validation | None:
    """Build the protocol; validation identities are all known to training, or all new."""
    train, val = rows.indices("train"), rows.indices("val")
    keys = rows.identity_keys()
    known = {keys[row] for row in train}
    closed = [row for row in val if keys[row] in known]
    if closed:
        note = "Held-out images of training identities against their other images."
        protocol = Protocol(
            f"{rows.name}/validation-images",
            (Repeat(np.array(closed), train),),
            "keep",
            "step",
            note,
        )
        return Validation(rows, protocol)
    held = rows.select(val)
    repeat, rule = _held_out_repeat(held, seed)
    if repeat is None:
        raise DataError(
            "No validation identity can be searched for: each has a single image. Use another "
            "kind of validation, or none."
        )
    note = "Identities held out of training."
    protocol = Protocol(f"{rows.name}/validation-identities", (repeat,), rule, "step", note)
    return Validation(held, protocol)


def _held_out_repeat(held: TrainingManifest, seed: int) -> tuple[Repeat | None, str]:
    rng = generator(seed, held.name, "validation queries")
    if _cameras_known(held):
        repeat = draw_across_cameras(held, range(len(held)), rng=rng)
        if repeat is not None:
            return repeat, "exclude"
    query, gallery = draw_gallery(held, range(len(held)), per_identity=1, rng=rng)
    return Repeat(np.array(query), np.array(gallery)) if query else None, "keep"


def _cameras_known(rows: Manifest) -> bool:
    return None not in rows.cameras and len(set(rows.cameras)) > 1
