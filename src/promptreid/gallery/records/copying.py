"""Copying the records of one store into another, all of them or none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from promptreid.errors import GalleryError
from promptreid.gallery.records.record_digests import PartDigest, digest_records
from promptreid.gallery.records.record_rows import (
    KEPT,
    SEARCHED,
    NewVector,
    StoredModel,
)
from promptreid.gallery.records.record_store import Records
from promptreid.json_record import JsonRecord
from promptreid.progress import Progress, Silent
from promptreid.progress.counted_task import counting
from promptreid.text.lists import counted

_AT_A_TIME = 512
_Row = TypeVar("_Row")


@dataclass(frozen=True)
class Copied(JsonRecord):
    """What was copied, and found to be the same in both stores.

    Attributes:
        entries: Number of images.
        identities: Number of identities.
        models: Number of models whose vectors were copied.
        parts: Rows and digest of each part of the records.
    """

    entries: int
    identities: int
    models: int
    parts: dict[str, PartDigest]


def copy_records(source: Records, target: Records, progress: Progress | None = None) -> Copied:
    """Copy all records into empty ones, and compare digests before anything is committed.

    The copy is one transaction: an interruption leaves the target empty, and the same call begins
    anew. The source is read as of one moment, while others may go on to write to it. Entries,
    identities and negative examples keep their numbers and versions.

    Args:
        source: What is copied.
        target: Records without an entry, a model or an audit record; their settings are replaced.
        progress: Told of images.

    Raises:
        GalleryError: The target holds something, or the copy is not the same as the source.
    """
    progress = progress or Silent()
    check_empty(target)
    with source.reading(), target.writing():
        check_empty(target)  # another process may have been faster
        models = source.models()
        for key, value in source.settings().items():
            target.set_setting(key, value)
        for stored in models:
            target.begin_model(stored.model)
        target.restore_identities(source.identities())
        with counting(progress, f"copying to {target.place}", source.count_entries(), "images"):
            for rows in _in_parts(row for row, _ in source.entries()):
                target.restore_entries((row, source.picture(row.entry).crop) for row in rows)
                progress.advance(len(rows))
        target.restore_negatives(
            (row, None if row.entry else source.negative_picture(row.negative).crop)
            for row in source.negatives()
        )
        for stored in models:
            _copy_vectors(source, target, stored)
        _choose_model(target, models)
        target.put_null_rows(source.null_rows(), [])
        for rows in _in_parts(source.audit_rows()):
            target.append_audit(rows)
        target.refuse(source.refused())
        target.restore_counters(source.counters())
        with progress.doing(f"comparing {target.place} with {source.place}"):
            parts = _compare(source, target)
    return Copied(parts["entries"].rows, parts["identities"].rows, len(models), parts)


def check_empty(records: Records) -> None:
    """Refuse records that hold something.

    Raises:
        GalleryError: There is an entry, a model or an audit record.
    """
    if records.count_entries() or records.models() or records.audit_head().count:
        raise GalleryError(
            f"{records.place} is not empty: it holds {counted(records.count_entries(), 'image')} "
            f"and {counted(len(records.models()), 'model')}. A gallery is copied to a new place."
        )


def _copy_vectors(source: Records, target: Records, stored: StoredModel) -> None:
    fingerprint = stored.model.fingerprint
    vectors = source.entries(model=fingerprint)
    if stored.model.text_width is None:
        pairs: Iterator[tuple] = ((row, vector, None) for row, vector in vectors)
    else:
        texts = source.entries(model=fingerprint, text=True)
        pairs = (
            (row, vector, text) for (row, vector), (_, text) in zip(vectors, texts, strict=True)
        )
    made = (NewVector(row.entry, vector, text) for row, vector, text in pairs if vector is not None)
    for part in _in_parts(made):
        target.put_vectors(fingerprint, part)
    negatives = [
        NewVector(row.negative, row.vector)
        for row in source.negatives(fingerprint)
        if row.entry is None and row.vector is not None
    ]
    target.put_vectors(fingerprint, negatives, negatives=True)


def _choose_model(target: Records, models: list[StoredModel]) -> None:
    """Let each model have the state that it had: those that did answer once come first."""
    for state in (KEPT, SEARCHED):
        for stored in models:
            if stored.state == state:
                target.set_model(stored.model)


def _compare(source: Records, target: Records) -> dict[str, PartDigest]:
    expected, copied = digest_records(source), digest_records(target)
    different = [name for name, part in expected.items() if copied.get(name) != part]
    if different or expected.keys() != copied.keys():
        raise GalleryError(
            f"The copy at {target.place} is not the same as {source.place}: "
            f"{', '.join(different or sorted(copied.keys() - expected.keys()))}. Nothing was kept "
            f"of it. Look whether the source is damaged: promptreid gallery check {source.place}."
        )
    return expected


def _in_parts(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    """Give rows in lists of a size that memory bears."""
    iterator = iter(rows)
    while part := list(islice(iterator, _AT_A_TIME)):
        yield part
