"""Seeded random draws: galleries, query sets and identity halves.

A draw depends on the seed, on the words that name it and on the sorted content it draws from;
never on the order in which files were listed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

from promptreid.data.manifest.manifest import Manifest
from promptreid.data.protocol import Repeat

Item = TypeVar("Item")


def generator(seed: int, *words: str | int) -> np.random.Generator:
    """Return a generator of its own for one purpose.

    Args:
        seed: The user's seed, at least 0.
        *words: What is drawn ("gallery", "market1501", 3).
    """
    name = "\x1f".join(str(word) for word in words)
    digest = hashlib.sha256(name.encode()).digest()
    entropy = [seed, *(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 32, 4))]
    return np.random.default_rng(np.random.SeedSequence(entropy))


def rows_by_identity(manifest: Manifest, rows: Iterable[int]) -> dict[tuple[str, str], list[int]]:
    """Group rows by (domain, identity), both the groups and the paths within a group sorted."""
    keys = manifest.identity_keys()
    groups: dict[tuple[str, str], list[int]] = {}
    images = manifest.image_keys()
    for row in sorted((int(row) for row in rows), key=images.__getitem__):
        groups.setdefault(keys[row], []).append(row)
    return dict(sorted(groups.items()))


def pick(items: Sequence[Item], count: int, rng: np.random.Generator) -> list[Item]:
    """Draw `count` of the items without replacement, all of them when there are no more."""
    if count >= len(items):
        return list(items)
    return [items[i] for i in rng.choice(len(items), size=count, replace=False)]


def draw_gallery(
    manifest: Manifest, rows: Iterable[int], *, per_identity: int, rng: np.random.Generator
) -> tuple[list[int], list[int]]:
    """Put some random images of each identity into the gallery and the others into the query set.

    Args:
        manifest: The table.
        rows: The images to share out.
        per_identity: Gallery images per identity; one with no more images than that has no query.
        rng: Source of randomness.

    Returns:
        Query rows and gallery rows, each ascending.
    """
    gallery = [
        row
        for group in rows_by_identity(manifest, rows).values()
        for row in pick(group, per_identity, rng)
    ]
    chosen = set(gallery)
    return sorted(int(row) for row in rows if int(row) not in chosen), sorted(gallery)


def draw_galleries(
    manifest: Manifest, repeats: int, seed: int, *words: str | int, per_identity: int = 1
) -> tuple[Repeat, ...]:
    """Draw queries and gallery of the split test several times; distractors are in every gallery.

    Args:
        manifest: The table.
        repeats: Number of draws.
        seed: The user's seed.
        *words: What tells these draws from others of the same seed.
        per_identity: As for `draw_gallery`.

    Returns:
        A repeat for each draw, or nothing when no identity has an image left to be a query.
    """
    rows, others = manifest.indices("test"), manifest.indices("distractor")
    drawn = []
    for number in range(repeats):
        rng = generator(seed, *words, number)
        query, gallery = draw_gallery(manifest, rows, per_identity=per_identity, rng=rng)
        if query:
            gallery_rows = np.concatenate([np.array(gallery, np.int64), others])
            drawn.append(Repeat(np.array(query), gallery_rows))
    return tuple(drawn)


def hold_out_images(manifest: Manifest, seed: int) -> Manifest:
    """Turn one random image of each training identity with at least two into validation."""
    splits = list(manifest.splits)
    for row in draw_one_each(manifest, manifest.indices("train"), seed=seed, purpose="val"):
        splits[row] = "val"
    return manifest.with_splits(splits)


def draw_one_each(manifest: Manifest, rows: Iterable[int], *, seed: int, purpose: str) -> list[int]:
    """Draw one random image of each identity that has at least two; each domain on its own.

    Args:
        manifest: The table.
        rows: The images to draw from.
        seed: The user's seed.
        purpose: Word that tells this draw from others of the same seed.

    Returns:
        The drawn rows, ascending.
    """
    rngs: dict[str, np.random.Generator] = {}
    drawn = []
    for (domain, _), group in rows_by_identity(manifest, rows).items():
        rng = rngs.setdefault(domain, generator(seed, domain, purpose))
        chosen = group[rng.integers(len(group))]
        if len(group) > 1:
            drawn.append(chosen)
    return sorted(drawn)


def draw_across_cameras(
    manifest: Manifest, rows: Iterable[int], *, rng: np.random.Generator
) -> Repeat | None:
    """Take one query per identity and camera; everything else is gallery.

    An identity seen by one camera only has no query, since none could match under the same-camera
    rule. A single image of an identity in a camera stays in the gallery, unless the identity has
    nothing else: then one of its images is the query. So each query has a match in another camera.

    Args:
        manifest: The table; every row needs a camera.
        rows: The images to share out.
        rng: Source of randomness.

    Returns:
        The query set and gallery, or None when no identity was seen by two cameras.
    """
    rows = [int(row) for row in rows]
    query: list[int] = []
    for group in rows_by_identity(manifest, rows).values():
        cameras: dict[str | None, list[int]] = {}
        for row in group:
            cameras.setdefault(manifest.cameras[row], []).append(row)
        if len(cameras) < 2:
            continue
        several = [images for images in cameras.values() if len(images) > 1]
        for images in several or pick(list(cameras.values()), 1, rng):
            query += pick(images, 1, rng)
    if not query:
        return None
    chosen = set(query)
    return Repeat(
        np.array(sorted(query)), np.array(sorted(row for row in rows if row not in chosen))
    )
