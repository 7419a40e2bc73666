"""Check every image of a data set before work starts, and name those that cannot be decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from promptreid.data.dataset import DataSet
from promptreid.data.images.image_files import UnreadableImage
from promptreid.data.images.image_store import readable_indices
from promptreid.data.images.unreadable_choice import check_choice
from promptreid.data.load_data import load_data
from promptreid.data.protocol import Protocol, Repeat
from promptreid.errors import DataError
from promptreid.progress import Progress
from promptreid.progress.counted_task import counting

_SHOWN = 8


def load_readable(spec: str, *, policy: str, progress: Progress, roles: bool = True) -> DataSet:
    """Read a data set, say what is noted of it, and check its images as `only_readable` does.

    Args:
        spec: The data set.
        policy: "stop" or "skip".
        progress: Hears the notes and what is skipped.
        roles: As for `load_data`.

    Raises:
        ConfigError: The spec or the policy is wrong.
        DataError: The data set cannot be read, or as `only_readable`.
    """
    check_choice(policy)
    with progress.doing(f"reading {spec}"):
        dataset = load_data(spec, roles=roles)
    for note in dataset.notes:
        progress.detail(f"{dataset.manifest.name}: {note}")
    return only_readable(dataset, policy=policy, progress=progress)


def load_shown(spec: str, *, policy: str, progress: Progress, roles: bool = True) -> DataSet:
    """Read a data set of which few images may be looked at.

    Only "skip" decodes every image first. Embeddings that are kept need none, so with "stop" an
    image that cannot be decoded stops the work where it is needed, if it is.

    Args:
        spec: The data set.
        policy: "stop" or "skip".
        progress: Hears what is skipped.
        roles: As for `load_data`.

    Raises:
        ConfigError: The spec or the policy is wrong.
        DataError: The data set cannot be read, or as `only_readable`.
    """
    check_choice(policy)
    if policy == "skip":
        return load_readable(spec, policy=policy, progress=progress, roles=roles)
    with progress.doing(f"reading {spec}"):
        return load_data(spec, roles=roles)


def only_readable(dataset: DataSet, *, policy: str, progress: Progress) -> DataSet:
    """Decode every image once; stop at bad ones, or leave them out.

    Args:
        dataset: Rows to check.
        policy: "stop" refuses a data set with bad images or links to nothing; "skip" drops the
            images from the manifest and from every repeat of the protocol, and says what is
            missing.
        progress: Hears the names and the count of what is skipped.

    Returns:
        The same data set, or one without the bad rows.

    Raises:
        ConfigError: The policy is neither.
        DataError: Images cannot be decoded and the policy is "stop", or nothing is left.
    """
    check_choice(policy)
    manifest = dataset.manifest
    with counting(progress, f"checking images of {manifest.name}", len(manifest), "images"):
        good, bad, clipped = readable_indices(manifest.images(), counted=progress.advance)
    if clipped:
        progress.message(
            f"{manifest.name}: {len(clipped):,} of {len(manifest):,} boxes reach beyond their "
            f"pictures and are clipped, first {manifest.image(clipped[0])}."
        )
    if not bad and not dataset.lost:
        return dataset
    if policy == "stop":
        faults = [sentence.rstrip(".") for sentence in dataset.lost]
        if bad:
            count = f"{len(bad)} of {len(manifest)}"
            faults.append(
                f"{count} images of {dataset.spec} cannot be read:\n{list_unreadable(bad)}"
            )
        faults.append("Mend or remove them, or leave them out with --unreadable skip.")
        raise DataError("\n".join(faults))
    for sentence in dataset.lost:
        progress.message(f"skipping what is not there: {sentence}")
    dataset = replace(dataset, notes=(*dataset.notes, *dataset.lost), lost=())
    return _drop_bad(dataset, good, bad, progress) if bad else dataset


def _drop_bad(
    dataset: DataSet, good: Sequence[int], bad: Sequence[UnreadableImage], progress: Progress
) -> DataSet:
    """Drop the images that cannot be decoded, and say which."""
    manifest, listing = dataset.manifest, list_unreadable(bad)
    if not good:
        raise DataError(
            f"None of the {len(manifest)} images of {dataset.spec} can be read:\n{listing}"
        )
    progress.message(
        f"skipping {len(bad)} of {len(manifest)} images that cannot be read:\n{listing}"
    )
    rows = np.asarray(good, dtype=np.int64)
    note = f"{len(bad)} of {len(manifest)} images cannot be read and were left out"
    return replace(
        dataset,
        manifest=manifest.select(rows),
        protocol=_renumber(dataset.protocol, rows, len(manifest)),
        notes=(*dataset.notes, note),
    )


def list_unreadable(bad: Sequence[UnreadableImage]) -> str:
    """Name the first of several images that cannot be read, a line each, and count the others."""
    lines = [f"  {error.path}: {error.reason}" for error in bad[:_SHOWN]]
    if len(bad) > _SHOWN:
        lines.append(f"  and {len(bad) - _SHOWN} more")
    return "\n".join(lines)


def _renumber(protocol: Protocol | None, rows: np.ndarray, count: int) -> Protocol | None:
    """Renumber a protocol's rows after rows were dropped."""
    if protocol is None:
        return None
    position = np.full(count, -1, dtype=np.int64)
    position[rows] = np.arange(len(rows))
    repeats = []
    for repeat in protocol.repeats:
        query, gallery = position[repeat.query], position[repeat.gallery]
        query, gallery = query[query >= 0], gallery[gallery >= 0]
        if len(query) and len(gallery):
            repeats.append(Repeat(query=query, gallery=gallery))
    return replace(protocol, repeats=tuple(repeats)) if repeats else None
