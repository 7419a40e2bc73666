"""The images that a figure shows: a few of the test images, the same ones for every run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from promptreid.data.dataset import DataSet
from promptreid.data.manifest.manifest import Manifest
from promptreid.errors import DataError
from promptreid.evaluation.test_set import TestSet


@dataclass(frozen=True)
class Selection:
    """Some rows of a data set.

    Attributes:
        manifest: The rows, in manifest order.
        groups: Number of the identity of each row, from 0 in label order.
        identities: Name of each identity.
        roles: "query" or "gallery" for each row; "image" where there is no test protocol.
        rows: Their row numbers in the data set.
    """

    manifest: Manifest
    groups: tuple[int, ...]
    identities: tuple[str, ...]
    roles: tuple[str, ...]
    rows: tuple[int, ...] = ()


def pick_identities(dataset: DataSet | TestSet, *, identities: int, seed: int = 0) -> Selection:
    """Draw identities that are searched for and have two images at least; take all of those.

    Queries and gallery are those of the first repeat of the protocol, without distractors. Without
    a protocol all images take part.

    Args:
        dataset: The data set.
        identities: Number of identities; all there are when there are fewer.
        seed: Seed of the draw, which depends on nothing else but the data set.

    Raises:
        DataError: Fewer than two identities have two images.
    """
    rows, roles = _tested(dataset)
    keys = dataset.manifest.identity_keys()
    counts = Counter(keys[row] for row in rows)
    searched = {keys[row] for row in rows if roles[row] != "gallery"}
    usable = sorted(key for key in searched if counts[key] > 1)
    if len(usable) < 2:
        raise DataError(
            f"{dataset.spec} has {len(usable)} identities with two test images or more, and a "
            "comparison needs two. Give a data set with more images."
        )
    rng = np.random.default_rng([seed, 0x7E57])
    chosen = {usable[index] for index in rng.permutation(len(usable))[:identities]}
    return _select(dataset.manifest, [row for row in rows if keys[row] in chosen], roles)


def pick_images(dataset: DataSet | TestSet, *, images: int, seed: int = 0) -> Selection:
    """Draw queries, as many as there are, of different identities as far as there are enough.

    Without a test protocol all images of the data set may be drawn.

    Raises:
        DataError: The data set is empty.
    """
    rows, roles = _tested(dataset)
    candidates = [row for row in rows if roles[row] != "gallery"]
    if not candidates:
        raise DataError(f"{dataset.spec} has no images to show.")
    rng = np.random.default_rng([seed, 0x1A6E])
    drawn = [candidates[index] for index in rng.permutation(len(candidates))]
    chosen = different_first(drawn, dataset.manifest.identity_keys())[:images]
    return _select(dataset.manifest, sorted(chosen), roles)


def different_first(rows: Sequence[int], identities: Sequence[Hashable]) -> list[int]:
    """Put the first row of every identity before the second of any, otherwise in order."""
    turns: Counter[Hashable] = Counter()
    ranked = []
    for place, row in enumerate(rows):
        ranked.append((turns[identities[row]], place, row))
        turns[identities[row]] += 1
    return [row for _, _, row in sorted(ranked)]


def _tested(dataset: DataSet | TestSet) -> tuple[list[int], dict[int, str]]:
    """Return the rows of the first repeat in order, and the role of each; no distractors.

    Distractors show nobody in particular, though they share a name.
    """
    splits = dataset.manifest.splits
    if dataset.protocol is None:
        roles = dict.fromkeys(range(len(splits)), "image")
    else:
        repeat = dataset.protocol.repeats[0]
        roles = dict.fromkeys(repeat.gallery.tolist(), "gallery")
        roles |= dict.fromkeys(repeat.query.tolist(), "query")
    return sorted(row for row in roles if splits[row] != "distractor"), roles


def _select(manifest: Manifest, rows: list[int], roles: dict[int, str]) -> Selection:
    picked = manifest.select(rows)
    ordered = sorted(set(picked.identity_keys()))
    numbers = {key: number for number, key in enumerate(ordered)}
    several = len({domain for domain, _ in ordered}) > 1
    return Selection(
        manifest=picked,
        groups=tuple(numbers[key] for key in picked.identity_keys()),
        identities=tuple(f"{domain}/{name}" if several else name for domain, name in ordered),
        roles=tuple(roles[row] for row in rows),
        rows=tuple(rows),
    )
