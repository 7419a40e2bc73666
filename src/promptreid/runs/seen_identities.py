"""Make sure that runs are tested on nobody who trained them, and say what has changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from promptreid.data.dataset import DataSet
from promptreid.data.manifest.sample_columns import TRAINING_SPLITS
from promptreid.data.same_data import DataSource, source_of
from promptreid.data.splits.redraw import keep_trained
from promptreid.errors import RunError
from promptreid.runs.run_data import describe_changes
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_images import ImageRow, name_people
from promptreid.runs.run_records import DataRecord
from promptreid.text.lists import counted, shorten_list

People = set[tuple[str, str]]


def make_testable(
    paths: Sequence[Path], dataset: DataSet, *, say: Callable[[str], None]
) -> DataSet:
    """Return a data set as runs may be tested on it.

    Data that are those of the runs, and data that have nothing to do with them, are returned as
    they are. Where data of a run have changed, that is said and noted. People who trained stay
    training people where the split is drawn; elsewhere nobody who trained may be tested. In a
    closed set no image that trained may be.

    Args:
        paths: Run folders and checkpoints; a checkpoint that lies in no run knows of no data.
        dataset: What to test on.
        say: Hears what has changed.

    Raises:
        RunError: People, or images of a closed set, that would be tested were trained on; or a file
            of a run is damaged.
    """
    if dataset.protocol is None:
        return dataset
    if dataset.manifest.closed:
        return _closed(paths, dataset, say)
    _say_known(paths, dataset, say)
    trained: People = set()
    sentences: list[str] = []
    for run in filter(None, map(RunFolder.of, paths)):
        learned, changes = _history(run, dataset)
        trained |= learned
        sentences += changes
    if not sentences:
        return dataset
    tested = _without(dataset, trained, " ".join(sentences), say)
    return replace(tested, notes=(*tested.notes, *sentences))


def _closed(paths: Sequence[Path], dataset: DataSet, say: Callable[[str], None]) -> DataSet:
    """Make sure that no image of a closed set is tested that trained, and say what has changed."""
    tested = _images_tested(dataset)
    sentences: list[str] = []
    for run in filter(None, map(RunFolder.of, paths)):
        records = _find_records(run, dataset)
        if not records or _is_same(records.values(), dataset):
            continue
        rows = [row for row in run.images() if row.data_set in records]
        about = _describe_change(run, rows, dataset)
        learned = {(row.path, *row.key) for row in rows if row.split in TRAINING_SPLITS}
        if run.recipe().stages and (known := tested & learned):
            raise RunError(
                f"{about} {len(known)} of the {len(tested)} images that would be tested were "
                f"trained on: {shorten_list(sorted(path for path, *_ in known))}. Restore the "
                "data, or give others with --data."
            )
        sentences.append(f"{about} No image that is tested has trained.")
    for sentence in sentences:
        say(sentence)
    return replace(dataset, notes=(*dataset.notes, *sentences)) if sentences else dataset


def _find_records(run: RunFolder, dataset: DataSet) -> dict[int, DataRecord]:
    """Return the records of a run's data sets that lie where a data set does, by number."""
    place = source_of(dataset.spec, dataset.manifest.name).place
    records = enumerate(run.data())
    return {n: one for n, one in records if source_of(one.place, one.name).place == place}


def _is_same(records: Iterable[DataRecord], dataset: DataSet) -> bool:
    """Tell whether a run has read this data set as it is."""
    now = dataset.manifest.fingerprint()
    return any(record.fingerprint == now for record in records)


def _describe_change(run: RunFolder, rows: Sequence[ImageRow], dataset: DataSet) -> str:
    return (
        f"The data behind {dataset.spec} are not as when {run.path} was started: "
        f"{describe_changes(rows, dataset)}."
    )


def _images_tested(dataset: DataSet) -> set[tuple[str, str, str]]:
    assert dataset.protocol is not None
    manifest = dataset.manifest
    keys = name_people(manifest)
    rows = {int(row) for repeat in dataset.protocol.repeats for row in repeat.query}
    return {(manifest.paths[row], *keys[row]) for row in rows}


def _history(run: RunFolder, dataset: DataSet) -> tuple[People, list[str]]:
    """Return who of the data set trained a run, and how the data set has changed since."""
    records, learned = _find_records(run, dataset), bool(run.recipe().stages)
    trained: People = set()
    changes = []
    images = run.images() if records else ()
    same = _is_same(records.values(), dataset)
    for number, record in records.items():
        rows = [row for row in images if row.data_set == number]
        if learned and record.role == "train":
            trained |= _learned(rows)
        if not same and not changes:
            changes.append(_describe_change(run, rows, dataset))
    return trained, changes


def _without(dataset: DataSet, trained: People, about: str, say: Callable[[str], None]) -> DataSet:
    """Leave out of the test who has trained, and say so."""
    known = _tested(dataset) & trained
    if not known:
        say(f"{about} Nobody who is tested has trained.")
        return dataset
    if not dataset.drawn:
        raise RunError(
            f"{about} {len(known)} of the {len(_tested(dataset))} identities that would be tested "
            f"were trained on: {_names(known)}. Restore the data, or give others with --data."
        )
    others = keep_trained(dataset, trained)
    if others.protocol is None:
        raise RunError(
            f"{about} Besides the {len(trained)} identities that trained nobody is left to test. "
            "Restore the data, or give others with --data."
        )
    say(
        f"{about} The {counted(len(trained), 'identity', 'identities')} that trained stay out of "
        f"the test: {len(_tested(others))} others are tested, in place of the draw above."
    )
    return others


def _say_known(paths: Sequence[Path], dataset: DataSet, say: Callable[[str], None]) -> None:
    """Say who of a data set trained a run with other images, such as another aspect of hands."""
    tested, place = _tested(dataset), source_of(dataset.spec, dataset.manifest.name)
    for run in filter(None, map(RunFolder.of, paths)):
        if not run.recipe().stages:
            continue
        images = None
        for number, record in enumerate(run.data()):
            source = source_of(record.place, record.name)
            if record.role != "train" or source.place == place.place or not _one(source, place):
                continue
            images = run.images() if images is None else images
            learned = _learned([row for row in images if row.data_set == number])
            # An aspect is a domain of the same people.
            names = {identity for _, identity in learned}
            known = {key for key in tested if key[1] in names}
            if known:
                say(
                    f"{len(known)} of the {len(tested)} identities of {dataset.spec} trained "
                    f"{run.path} with other images ({record.spec}): {_names(known)}. The scores "
                    "are not those of new people."
                )


def _one(first: DataSource, second: DataSource) -> bool:
    """Tell whether two data sets are parts of one folder that names people alike."""
    return os.path.realpath(first.root) == os.path.realpath(second.root)


def _learned(rows: Sequence[ImageRow]) -> People:
    return {row.key for row in rows if row.split in TRAINING_SPLITS}


def _tested(dataset: DataSet) -> People:
    """Return the people that are searched for."""
    if dataset.protocol is None:
        return set()
    keys = name_people(dataset.manifest)
    return {keys[int(row)] for repeat in dataset.protocol.repeats for row in repeat.query}


def _names(known: People) -> str:
    return shorten_list(sorted(identity for _, identity in known))
