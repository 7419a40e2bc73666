"""Closed sets: test images show identities that train.

Recognition of enrolled people and most tables of animals are split by image, not by identity. Such
a test says how well known identities are recognised, and nothing about new ones, so it is asked for
by name (`identities=closed`) and its protocol is called so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.manifest.sample_columns import TEST_SPLITS, TRAINING_SPLITS
from promptreid.data.protocol import Protocol, Repeat
from promptreid.data.splits.draws import generator, pick
from promptreid.errors import DataError

_WAY_ON = (
    "Test identities must be new to training. If they are to be known, the option "
    "identities=closed scores test images against the training images; or leave the splits out, "
    "and identities are drawn for training and testing."
)


def refuse_known(samples: Sequence[Sample], *, name: str, source: str) -> None:
    """Refuse test images of identities that train, and say what can be done.

    Args:
        samples: Rows with their splits.
        name: Name of the data set: domain of samples without one.
        source: Where the rows come from, for the message.

    Raises:
        DataError: Test images show identities that train; the identities are counted.
    """
    keys = identity_keys(samples, name)
    trained, tested = (
        {key for key, sample in zip(keys, samples, strict=True) if sample.split in splits}
        for splits in (TRAINING_SPLITS, TEST_SPLITS)
    )
    if not (shared := trained & tested):
        return
    example = min(shared)
    held = {sample.split for key, sample in zip(keys, samples, strict=True) if key == example}
    mine, theirs = (
        next(split for split in splits if split in held)
        for splits in (TRAINING_SPLITS, TEST_SPLITS)
    )
    count = "1 identity is" if len(shared) == 1 else f"{len(shared):,} identities are"
    raise DataError(
        f"{source}: {count} in both {mine} and {theirs}, for example {example[1]!r}. {_WAY_ON}"
    )


def split_images(
    samples: Sequence[Sample], *, train: float, seed: int, name: str
) -> tuple[list[Sample], tuple[str, ...]]:
    """Give some images of each identity to training and the others to testing.

    Args:
        samples: Rows whose split does not count.
        train: Fraction of the images of each identity that train; at least one does, and one is
            left to test where there are two.
        seed: Seed of the draw.
        name: Name of the data set: domain of samples without one.

    Returns:
        The rows with split train or test, and notes.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    keys = identity_keys(samples, name)
    for row in sorted(range(len(samples)), key=lambda row: samples[row].path):
        groups.setdefault(keys[row], []).append(row)
    trained: set[int] = set()
    for key, rows in sorted(groups.items()):
        count = min(max(round(train * len(rows)), 1), max(len(rows) - 1, 1))
        trained.update(pick(rows, count, generator(seed, name, "closed set", *key)))
    share = f"{len(trained):,} of {len(samples):,}"
    note = f"{share} images, drawn of each identity with seed {seed}, train."
    return [
        replace(sample, split="train" if row in trained else "test")
        for row, sample in enumerate(samples)
    ], (note,)


def make_closed_protocol(
    manifest: Manifest, *, same_camera: str
) -> tuple[Protocol | None, tuple[str, ...]]:
    """Score test images of a closed set against training images and the gallery, once.

    Returns:
        The protocol, or None when there is no test image; and notes.

    Raises:
        DataError: When no test image shows an identity that trains.
    """
    query = np.sort(manifest.indices("query", "test"))
    gallery = np.sort(manifest.indices("train", "gallery", "distractor"))
    if not query.size or not gallery.size:
        return None, ("There is no test image, so nothing can be scored.",)
    keys = manifest.identity_keys()
    trained = {keys[row] for row in manifest.indices("train")}
    new = {keys[row] for row in query} - trained
    known = len({keys[row] for row in query}) - len(new)
    if not known:
        raise DataError(
            f"identities=closed was asked for, but none of the {len(new):,} test identities of "
            f"{manifest.name!r} trains. Leave the option out: this is an open set."
        )
    notes = ()
    if new:
        notes = (
            f"{len(new):,} of {len(new) + known:,} test identities do not train, for example "
            f"{min(new)[1]!r}.",
        )
    note = (
        "Closed set: test images of known identities against the images that trained; says "
        "nothing about new identities."
    )
    name, repeats = f"{manifest.name}/closed", (Repeat(query, gallery),)
    return Protocol(name, repeats, same_camera, "step", note, closed=True), notes


def identity_keys(samples: Sequence[Sample], name: str) -> list[tuple[str, str]]:
    """Return (domain, identity) of every sample; the data set's name where it has no domain."""
    return [(sample.domain or name, sample.identity) for sample in samples]
