"""The option `use=all` of every data set: its test images train too.

Protocols of domain generalization test on other data sets alone, and let all images of the
training data sets learn.
"""

from __future__ import annotations

from dataclasses import replace

from promptreid.data.dataset import DataSet
from promptreid.data.manifest.sample_columns import TEST_SPLITS


def train_on_all(dataset: DataSet) -> DataSet:
    """Turn query, gallery and test images into training images.

    Validation and distractor images stay what they are. Test images of `dataset.background` are
    left out, since they show no one identity; an image that is both query and gallery comes once.

    Returns:
        The data set without a protocol: nothing is left to test on. Its notes say what was done.

    Raises:
        DataError: The same as for `Manifest`.
    """
    manifest = dataset.manifest
    splits = list(manifest.splits)
    used_rows, moved, seen, nobody = [], set(), set(), 0
    for row, (image, identity, split) in enumerate(
        zip(manifest.image_keys(), manifest.identities, splits, strict=True)
    ):
        if split in TEST_SPLITS:
            if identity in dataset.background:
                nobody += 1
                continue
            if image in seen:
                continue
            seen.add(image)
            moved.add((manifest.domains[row], identity))
            splits[row] = "train"
        used_rows.append(row)
    notes = [
        f"use=all: {len(seen):,} test images of {len(moved):,} identities train too, so that "
        "nothing is left to test on."
    ] * bool(seen)
    if nobody:
        notes.append(f"use=all: {nobody:,} gallery images that show no one identity are left out.")
    used = manifest.select(used_rows).with_splits([splits[row] for row in used_rows])
    return replace(dataset, manifest=used, protocol=None, notes=(*dataset.notes, *notes))
