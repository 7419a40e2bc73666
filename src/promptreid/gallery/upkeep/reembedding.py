"""Making vectors of another model beside those that are searched, and switching to them at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from promptreid.gallery.gallery_errors import StoreInUseError
from promptreid.gallery.records.record_rows import KEPT
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.aggregate import Aggregate
from promptreid.gallery.searching.next_null_sample import NextNullSample
from promptreid.gallery.searching.search_state import SearchState
from promptreid.gallery.upkeep.stored_pictures import StoredPictures
from promptreid.gallery.vector_model import VectorModel, describe_model
from promptreid.json_record import JsonRecord
from promptreid.progress import Progress
from promptreid.progress.counted_task import counting

_AT_A_TIME = 64
_LEFT_TO_THE_SWITCH = 64
"""Images that may be embedded while the switch holds up other writers."""


@dataclass(frozen=True)
class Reembedded(JsonRecord):
    """What became of a change of the model.

    Attributes:
        entries: Images that have a vector of the new model.
        made: How many of these were made now; the others were there from an earlier try.
        fingerprint: That of the new model.
        former: That of the old one; None where there was none, or it is the same.
        is_former_kept: Whether its vectors are still there.
    """

    entries: int
    made: int
    fingerprint: str
    former: str | None
    is_former_kept: bool


def reembed_gallery(
    records: Records,
    state: SearchState,
    model: VectorModel,
    aggregate: Aggregate,
    *,
    keep_old: bool,
    adopt: Callable[[], None],
    progress: Progress,
) -> Reembedded:
    """Make vectors of a model for everything that is enrolled, then search those alone.

    Of the model that is searched already, only vectors that are missing are made.

    Until the switch, everybody goes on with the old vectors, and what they add is embedded, too.
    Vectors are committed in batches, so that an interruption costs one of them. The null sample of
    the new vectors is computed before the switch and brought up to date in it.

    Args:
        records: What is enrolled.
        state: What follows from it.
        model: Makes the new vectors.
        aggregate: How images become one score.
        keep_old: Whether the old vectors stay, for switching back.
        adopt: Called after the switch, while the state is still locked.
        progress: Told of images that have a new vector on the disk.

    Raises:
        GalleryError: Pictures cannot be read any more; these are told, and the old vectors are
            searched as before.
    """
    row = describe_model(model)
    with state.lock, records.writing():
        searched = records.model()
        former = None if searched is None else searched.fingerprint
        if former != row.fingerprint:
            records.begin_model(row)
        missing, total = records.missing_vectors(row.fingerprint), records.count_entries()
    if former == row.fingerprint:
        told = _fill_gaps(records, state, model, progress)
        with state.lock:
            adopt()
        _drop_former(records, state, keep_old=keep_old, progress=progress)
        return told
    made, pictures = 0, StoredPictures(records, state, model)
    with counting(progress, "embedding with the new model", total, "images"):
        progress.advance(total - len(missing))
        while True:
            for part in _in_parts(missing):
                vectors = pictures.embed_entries(part)
                with state.lock, records.writing():
                    records.put_vectors(row.fingerprint, vectors)
                made += len(vectors)
                progress.advance(len(part))
            pictures.check()
            with state.lock:
                missing = records.missing_vectors(row.fingerprint)
            if len(missing) <= _LEFT_TO_THE_SWITCH:
                break
    _make_negative_vectors(records, state, row.fingerprint, pictures)
    pictures.check()
    with NextNullSample(aggregate, row, records.derived) as sample:
        with progress.doing("calibrating the new model"), state.lock, records.reading():
            sample.read(records)
        sample.compute(progress)
        with progress.doing("switching to the new model"), state.lock:
            made += _switch(records, pictures, model, sample)
            entries = records.count_entries()
            state.clear()
            adopt()
    _drop_former(records, state, keep_old=keep_old, progress=progress)
    return Reembedded(entries, made, row.fingerprint, former, keep_old)


def _switch(
    records: Records, pictures: StoredPictures, model: VectorModel, sample: NextNullSample
) -> int:
    """Let the new model be searched from one transaction on; return the images embedded in it."""
    with records.writing():
        missing = records.missing_vectors(model.fingerprint)
        vectors = pictures.embed_entries(missing)
        records.set_model(describe_model(model))
        # Vectors of the model that is searched give entries a new version, so that they are seen.
        records.put_vectors(model.fingerprint, vectors)
        negatives = records.missing_vectors(model.fingerprint, negatives=True)
        examples = pictures.embed_negatives(negatives)
        records.put_vectors(model.fingerprint, examples, negatives=True)
        pictures.check()
        records.put_null_rows(sample.update(records).rows(), [])
    return len(vectors)


def _drop_former(
    records: Records, state: SearchState, *, keep_old: bool, progress: Progress
) -> None:
    """Remove the vectors of models that are not searched any more, unless they are to be kept."""
    with state.lock:
        if keep_old or not _list_former(records):
            return
        with progress.doing("removing the old vectors"):
            with state.changing(records):
                for fingerprint in _list_former(records):
                    records.drop_model(fingerprint)
            with contextlib.suppress(StoreInUseError):  # then the next opening rewrites the store
                records.compact()


def _list_former(records: Records) -> list[str]:
    return [one.model.fingerprint for one in records.models() if one.state == KEPT]


def _fill_gaps(
    records: Records, state: SearchState, model: VectorModel, progress: Progress
) -> Reembedded:
    """Make vectors of the model that is searched for what has none."""
    with state.lock:
        missing = set(records.missing_vectors(model.fingerprint))
        if model.text_width is not None:
            with state.changing(records):
                records.set_model(describe_model(model))  # which may have had no text side before
            missing |= set(records.missing_vectors(model.fingerprint, text=True))
    made, pictures = 0, StoredPictures(records, state, model)
    with counting(progress, "embedding what has no vector", len(missing), "images"):
        for part in _in_parts(sorted(missing)):
            vectors = pictures.embed_entries(part)
            with state.lock, state.changing(records):
                records.put_vectors(model.fingerprint, vectors)
            made += len(vectors)
            progress.advance(len(part))
    _make_negative_vectors(records, state, model.fingerprint, pictures)
    pictures.check()
    with state.lock:
        entries = records.count_entries()
    return Reembedded(entries, made, model.fingerprint, None, is_former_kept=False)


def _make_negative_vectors(
    records: Records, state: SearchState, fingerprint: str, pictures: StoredPictures
) -> None:
    """Make the vectors of a model that negative examples lack."""
    with state.lock:
        missing = records.missing_vectors(fingerprint, negatives=True)
    for part in _in_parts(missing):
        vectors = pictures.embed_negatives(part)
        with state.lock, records.writing():
            records.put_vectors(fingerprint, vectors, negatives=True)


def _in_parts(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), _AT_A_TIME):
        yield numbers[start : start + _AT_A_TIME]
