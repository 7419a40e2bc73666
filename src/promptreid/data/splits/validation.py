"""Validation data out of the training rows: never a test identity.

Everything here works on a `TrainingManifest`, which cannot hold a test image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from promptreid.data.dataset import DataSet
from promptreid.data.manifest.manifest import Manifest, TrainingManifest
from promptreid.data.manifest.sample_columns import TRAINING_SPLITS
from promptreid.data.protocol import Protocol, Repeat
from promptreid.data.splits.draws import (
    draw_across_cameras,
    draw_gallery,
    draw_one_each,
    generator,
    pick,
    rows_by_identity,
)
from promptreid.errors import ConfigError, DataError, unknown_name

KINDS = ("auto", "images", "identities", "folds", "none")
Kind = Literal["auto", "images", "identities", "folds", "none"]

FEWEST_TO_HOLD_OUT = 20
"""With fewer training identities, `auto` holds out none of somebody's own data."""

FEWEST_TO_TRUST = 20
"""Validation scores on fewer identities are called uncertain wherever they are shown."""

_FEWEST_HALVES = 4
_SHARE_OF_FEW, _ENOUGH = 0.2, 10


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
        kind: `auto` is what `kind_for` makes of it: the data set's own validation rows, if it has
            any. `images` takes one random image of each training identity with at least two as
            query, the rest is the gallery. `identities` holds whole identities out of training.
            `folds` and `none` validate on nothing. `none` uses only the rows of split train; the
            others first put the data set's own validation rows back to training.
        fraction: Share of the identities to hold out, above 0 and below 1; for `identities`. Where
            `auto` chooses that, it is a fifth of few identities, and at least ten of fifty or more.
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
    chosen = kind_for(dataset, kind)
    if chosen == "images":
        rows = _one_image_each(rows, seed)
    elif chosen == "identities":
        rows = _whole_identities(rows, fraction, seed, asked=kind == "identities")
    elif chosen == "folds":
        rows = _split(rows, [])
    train = rows.indices("train")
    if not train.size:
        raise DataError(f"Data set {rows.name!r} has validation images but none to train on.")
    has_validation = chosen != "none" and "val" in rows.splits
    return rows.select(train), _validation(rows, seed) if has_validation else None


def kind_for(dataset: DataSet, kind: Kind) -> Kind:
    """Say what `auto` means for a data set; every other kind means itself.

    A data set's own validation rows count as `auto`. Without them, published data sets train on
    all of their training images, as published scores do: `none`. Of somebody's own data some
    identities are held out from `FEWEST_TO_HOLD_OUT` on. Below, where each identity is missed, and
    in closed sets, where each is tested on, all images learn and the threshold is chosen by
    cross-fitting: `folds`.
    """
    if kind != "auto" or "val" in dataset.manifest.splits:
        return kind
    if not dataset.own:
        return "none"
    rows = dataset.manifest.training()
    identities = len(set(rows.identity_keys()))
    spared = identities >= FEWEST_TO_HOLD_OUT and not rows.closed
    if spared and len(_searchable(rows)) >= _fewest_held_out(identities):
        return "identities"
    return "folds" if identities >= _FEWEST_HALVES else "none"


def halves(rows: Manifest, seed: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Share the identities of some training rows out between two halves.

    Args:
        rows: Training rows.
        seed: Seed of the draw.

    Returns:
        The rows of each half; one of them has the odd identity.
    """
    groups = rows_by_identity(rows, range(len(rows)))
    first = set(pick(list(groups), len(groups) // 2, generator(seed, rows.name, "halves")))
    sides: tuple[list[int], list[int]] = ([], [])
    for key, group in groups.items():
        sides[key in first].extend(group)
    return tuple(sorted(sides[True])), tuple(sorted(sides[False]))


def _fewest_held_out(identities: int) -> int:
    """Hold out a fifth of few identities, ten of fifty or more."""
    return max(2, min(_ENOUGH, round(_SHARE_OF_FEW * identities)))


def _searchable(rows: TrainingManifest) -> list[tuple[str, str]]:
    """Return the identities seen twice, and by two cameras if cameras are known."""
    across = _cameras_known(rows)
    return [
        key
        for key, group in rows_by_identity(rows, range(len(rows))).items()
        if len(group) > 1 and (not across or len({rows.cameras[row] for row in group}) > 1)
    ]


def _one_image_each(rows: TrainingManifest, seed: int) -> TrainingManifest:
    chosen = draw_one_each(rows, range(len(rows)), seed=seed, purpose="validation images")
    if not chosen:
        raise DataError(
            "No training identity has two images, so none can be spared for validation; use "
            "identities or none instead of images."
        )
    return _split(rows, chosen)


def _whole_identities(
    rows: TrainingManifest, fraction: float, seed: int, *, asked: bool
) -> TrainingManifest:
    """Hold out identities that can be searched for, as many as was asked for or as suits."""
    groups, able = rows_by_identity(rows, range(len(rows))), _searchable(rows)
    count = max(2, round(fraction * len(groups)))
    if not asked:
        count = min(max(count, _fewest_held_out(len(groups))), len(able))
    if len(able) < count or len(groups) - count < 2:
        seen = "two cameras" if _cameras_known(rows) else "two images"
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
        name, repeat = f"{rows.name}/validation-images", Repeat(np.array(closed), train)
        return Validation(rows, Protocol(name, (repeat,), "keep", "step", note))
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
