"""Make sure that data sets which are only tested on have nothing in common with training data."""

from __future__ import annotations

import filecmp
import os
from collections import Counter
from collections.abc import Sequence

from promptreid.data.data_spec import parse_spec
from promptreid.data.dataset import DataSet
from promptreid.data.images.boxes import Box
from promptreid.data.manifest.manifest import Manifest
from promptreid.data.manifest.sample_columns import TEST_SPLITS, TRAINING_SPLITS
from promptreid.data.same_data import source_of
from promptreid.errors import DataError

_COMPARED = 3
"""Images of one name in two folders that are compared before the folders count as different."""


def check_unseen(training: Sequence[DataSet], tests: Sequence[DataSet]) -> None:
    """Refuse to test on what is learned or validated on.

    Images are known by their files. Identities are compared within one collection only, since
    person 7 of one is not person 7 of another. Two data sets are of one collection when they have
    the same name and folder, when one reader takes both from one folder, as it does two aspects of
    a hand set, or when an image of one is an image of the other, be it a copy under the same name
    in another folder. Whether another folder holds a copy is judged by a few images.

    Args:
        training: What `--data` named.
        tests: What `--test` named.

    Raises:
        DataError: A test set has nothing to test on, is one of the training sets, or shares an
            image or an identity with training rows; the sentence says which.
    """
    for test in tests:
        if test.protocol is None:
            counts = Counter(test.manifest.splits).items()
            held = ", ".join(f"{count:,} {split} images" for split, count in counts)
            raise DataError(
                f"--test {test.spec} has nothing to test on: it holds {held}. Give a data set with "
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
    parts = places[0] != places[1] and _of_one_folder(trained, test)
    if not (copied or common or places[0] == places[1] or parts):
        return
    if first.fingerprint() == second.fingerprint():
        raise DataError(
            f"--test {test.spec} is the same as --data {trained.spec}, whose own query and gallery "
            "images are scored anyway. Leave --test out, or name data that do not train."
        )
    learned, roles = first.indices(*TRAINING_SPLITS), second.indices(*TEST_SPLITS)
    images = {files[row] for row in learned} & {test_files[row] for row in _tested(test)}
    keys, test_keys = _keys(first, whole=not parts), _keys(second, whole=not parts)
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


def _of_one_folder(trained: DataSet, test: DataSet) -> bool:
    """Say whether one reader takes both from one folder; a table is a data set of its own."""
    specs = parse_spec(trained.spec), parse_spec(test.spec)
    if specs[0].name != specs[1].name or specs[0].name == "csv":
        return False
    return _same_root(trained.manifest, test.manifest) or _copied(
        trained.manifest, test.manifest, paths=(*trained.manifest.paths, *test.manifest.paths)
    )


def _same_root(first: Manifest, second: Manifest) -> bool:
    return os.path.realpath(first.root) == os.path.realpath(second.root)


def _copied(first: Manifest, second: Manifest, paths: Sequence[str] | None = None) -> bool:
    """Say whether images of one name in two folders are the same, judged by a few of them.

    Args:
        first: One.
        second: The other.
        paths: Where to look in both; None for the images that both have.
    """
    if _same_root(first, second):
        return False
    common = sorted(set(first.paths) & set(second.paths) if paths is None else set(paths))
    step = max(1, len(common) // _COMPARED)
    return any(_same_file(first, second, path) for path in common[::step])


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
        row
        for repeat in test.protocol.repeats
        for row in (*repeat.query.tolist(), *repeat.gallery.tolist())
    }


def _keys(manifest: Manifest, *, whole: bool) -> list[tuple[str, str]]:
    """Return (domain, identity) of each row; a domain called as the data set is no domain.

    Parts of one data set, such as the aspects of hands, are domains of the same people: with
    `whole` false no domain counts.
    """
    return [
        ("" if domain == manifest.name or not whole else domain, identity)
        for domain, identity in manifest.identity_keys()
    ]
