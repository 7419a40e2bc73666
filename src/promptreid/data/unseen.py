"""Make sure that data sets which are only tested on have nothing in common with training data."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Sequence

from promptreid.data.boxes import Box
from promptreid.data.dataset import DataSet
from promptreid.data.manifest import TEST_SPLITS, TRAINING_SPLITS, Manifest
from promptreid.data.sources import source_of
from promptreid.errors import DataError

_COMPARED = 3
"""Images of one name in two folders that are compared before the folders count as different."""


def check_unseen(training: Sequence[DataSet], tests: Sequence[DataSet]) -> None:
    """Refuse to test on what is learned or validated on.

    Images are known by their files. Identities are compared within one collection only, since
    person 7 of one is not person 7 of another: two data sets are of one collection when they have
    the same name and folder, or when an image of one is an image of the other, be it a copy under
    the same name in another folder.

    Args:
        training: What `--data` named.
        tests: What `--test` named.

    Raises:
        DataError: A test set has nothing to test on, is one of the training sets, or shares an
            image or an identity with training rows; the sentence says which.
    """
    for test in tests:
        if test.protocol is None:
            raise DataError(
                f"--test {test.spec} has nothing to test on: {_splits(test)}. Give a data set with "
                "query and gallery images, or leave it out."
            )
        for trained in training:
            _check_pair(trained, test)


def _check_pair(trained: DataSet, test: DataSet) -> None:
    first, second = trained.manifest, test.manifest
    copied = _copied(first, second)
    files = _files(first, relative=copied)
    test_files = _files(second, relative=copied)
    places = [source_of(one.spec, one.manifest.name).place for one in (trained, test)]
    common = {file for file, _ in files} & {file for file, _ in test_files}
    if not (copied or common or places[0] == places[1]):
        return
    if first.fingerprint() == second.fingerprint():
        raise DataError(
            f"--test {test.spec} is the same as --data {trained.spec}, whose own query and gallery "
            "images are scored anyway. Leave --test out, or name data that do not train."
        )
    learned, roles = first.indices(*TRAINING_SPLITS), second.indices(*TEST_SPLITS)
    images = {files[row] for row in learned} & {test_files[row] for row in _tested(test)}
    keys, test_keys = _keys(first), _keys(second)
    people = {keys[row] for row in learned} & {test_keys[row] for row in roles}
    for shared, noun in (
        ([file for file, _ in images], "images"),
        ([name for _, name in people], "identities"),
    ):
        if shared:
            raise DataError(
                f"{len(shared)} {noun} that --test {test.spec} is scored on train in --data "
                f"{trained.spec}, for example {min(shared)}. Test on data that no training set "
                "contains, or train on less."
            )


def _copied(first: Manifest, second: Manifest) -> bool:
    """Say whether images of one name in two folders are the same, judged by a few of them."""
    if first.root == second.root:
        return False
    common = sorted(set(first.paths) & set(second.paths))
    return any(_same_file(first, second, path) for path in common[:_COMPARED])


def _same_file(first: Manifest, second: Manifest, path: str) -> bool:
    try:
        return filecmp.cmp(first.root / path, second.root / path, shallow=False)
    except OSError:
        return False


def _files(manifest: Manifest, *, relative: bool) -> list[tuple[str, Box | None]]:
    """Return file and box of each row, which make an image."""
    return [
        (path if relative else os.path.normpath(manifest.root / path), box)
        for path, box in zip(manifest.paths, manifest.boxes, strict=True)
    ]


def _tested(test: DataSet) -> set[int]:
    """Return the rows that are searched for or searched through in some repeat."""
    assert test.protocol is not None
    return {
        int(row)
        for repeat in test.protocol.repeats
        for rows in (repeat.query, repeat.gallery)
        for row in rows
    }


def _keys(manifest: Manifest) -> list[tuple[str, str]]:
    """Return (domain, identity) of each row; a domain called as the data set is no domain."""
    return [
        ("" if domain == manifest.name else domain, identity)
        for domain, identity in manifest.identity_keys()
    ]


def _splits(dataset: DataSet) -> str:
    return "it holds " + ", ".join(
        f"{len(dataset.manifest.indices(split)):,} {split} images"
        for split in dict.fromkeys(dataset.manifest.splits)
    )
