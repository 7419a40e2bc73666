"""Making vectors of another model beside those that are searched, and switching to them at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from promptreid.data.images.boxes import ImageSource, parse_box
from promptreid.errors import GalleryError
from promptreid.gallery.gallery_errors import StoreInUseError
from promptreid.gallery.image_content import find_fault
from promptreid.gallery.records.record_rows import KEPT, EntryRow, NewVector, Picture
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.aggregate import Aggregate
from promptreid.gallery.searching.next_null_sample import NextNullSample
from promptreid.gallery.searching.search_state import SearchState
from promptreid.gallery.vector_model import VIEW, GalleryImage, VectorModel, describe_model
from promptreid.json_record import JsonRecord
from promptreid.progress import Progress
from promptreid.progress.counted_task import counting
from promptreid.text.lists import counted, shorten_list

_AT_A_TIME = 256
_LEFT_TO_THE_SWITCH = 64
"""Images that may be embedded while the switch holds up other writers."""
_FAULTS_TOLD = 5


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
    before, row = records.model(), describe_model(model)
    if before is not None and before.fingerprint == row.fingerprint:
        told = _fill_gaps(records, state, model, progress)
        with state.lock:
            adopt()
        _drop_former(records, state, keep_old=keep_old, progress=progress)
        return told
    with state.lock, records.writing():
        records.begin_model(row)
    missing = records.missing_vectors(row.fingerprint)
    total, made = records.count_entries(), 0
    faults: dict[str, str] = {}
    with counting(progress, "embedding with the new model", total, "images"):
        progress.advance(total - len(missing))
        while True:
            for part in _in_parts(missing):
                vectors = _embed_entries(records, model, part, faults)
                with state.lock, records.writing():
                    records.put_vectors(row.fingerprint, vectors)
                made += len(vectors)
                progress.advance(len(part))
            _check_faults(records, faults)
            with state.lock:
                missing = records.missing_vectors(row.fingerprint)
            if len(missing) <= _LEFT_TO_THE_SWITCH:
                break
    _make_negative_vectors(records, state, model, faults)
    _check_faults(records, faults)
    with NextNullSample(aggregate, row, records.derived) as sample:
        with progress.doing("calibrating the new model"):
            with state.lock, records.reading():
                sample.read(records)
            sample.compute()
        with progress.doing("switching to the new model"), state.lock:
            made += _switch(records, model, sample)
            state.clear()
            adopt()
    _drop_former(records, state, keep_old=keep_old, progress=progress)
    former = None if before is None else before.fingerprint
    return Reembedded(records.count_entries(), made, row.fingerprint, former, keep_old)


def _switch(records: Records, model: VectorModel, sample: NextNullSample) -> int:
    """Let the new model be searched from one transaction on; return the images embedded in it."""
    faults: dict[str, str] = {}
    with records.writing():
        missing = records.missing_vectors(model.fingerprint)
        vectors = _embed_entries(records, model, missing, faults)
        records.set_model(describe_model(model))
        # Vectors of the model that is searched give entries a new version, so that they are seen.
        records.put_vectors(model.fingerprint, vectors)
        negatives = records.missing_vectors(model.fingerprint, negatives=True)
        examples = _embed_negatives(records, model, negatives, faults)
        records.put_vectors(model.fingerprint, examples, negatives=True)
        _check_faults(records, faults)
        records.put_null_rows(sample.update(records).rows(), [])
    return len(vectors)


def _drop_former(
    records: Records, state: SearchState, *, keep_old: bool, progress: Progress
) -> None:
    """Remove the vectors of models that are not searched any more, unless they are to be kept."""
    former = [one.model.fingerprint for one in records.models() if one.state == KEPT]
    if keep_old or not former:
        return
    with progress.doing("removing the old vectors"), state.lock:
        with state.changing(records):
            for fingerprint in former:
                records.drop_model(fingerprint)
        with contextlib.suppress(StoreInUseError):  # then the next opening rewrites the store
            records.compact()


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
    faults: dict[str, str] = {}
    made = 0
    with counting(progress, "embedding what has no vector", len(missing), "images"):
        for part in _in_parts(sorted(missing)):
            vectors = _embed_entries(records, model, part, faults)
            with state.lock, state.changing(records):
                records.put_vectors(model.fingerprint, vectors)
            made += len(vectors)
            progress.advance(len(part))
    _make_negative_vectors(records, state, model, faults)
    _check_faults(records, faults)
    return Reembedded(records.count_entries(), made, model.fingerprint, None, is_former_kept=False)


def _embed_entries(
    records: Records, model: VectorModel, entries: Sequence[int], faults: dict[str, str]
) -> list[NewVector]:
    """Embed pictures of entries, leaving out those that cannot be read, which are put in words."""
    rows, images = [], []
    for row in records.entry_rows(entries):
        image = _open_picture(records.picture(row.entry), f"entry {row.entry}", faults, row)
        if image is not None:
            rows.append(row)
            images.append(image)
    if not rows:
        return []
    vectors, texts = model.both_vectors(images)
    return [
        NewVector(row.entry, vectors[place], None if texts is None else texts[place])
        for place, row in enumerate(rows)
    ]


def _make_negative_vectors(
    records: Records, state: SearchState, model: VectorModel, faults: dict[str, str]
) -> None:
    """Make the vectors of a model that negative examples lack."""
    for part in _in_parts(records.missing_vectors(model.fingerprint, negatives=True)):
        vectors = _embed_negatives(records, model, part, faults)
        with state.lock, records.writing():
            records.put_vectors(model.fingerprint, vectors, negatives=True)


def _embed_negatives(
    records: Records, model: VectorModel, negatives: Sequence[int], faults: dict[str, str]
) -> list[NewVector]:
    """Embed negative examples that are no entries, as `_embed_entries` does."""
    numbers, images = [], []
    for number in negatives:
        what = f"negative example {number}"
        image = _open_picture(records.negative_picture(number), what, faults)
        if image is not None:
            numbers.append(number)
            images.append(image)
    vectors = model.vectors(images) if images else ()
    return [NewVector(number, vector) for number, vector in zip(numbers, vectors, strict=True)]


def _open_picture(
    picture: Picture, what: str, faults: dict[str, str], row: EntryRow | None = None
) -> GalleryImage | None:
    """Open a picture as it was enrolled; None where it is not that any more, which is noted."""
    fault = find_fault(picture)
    if fault is not None:
        faults[what] = fault
        return None
    if picture.crop is None:
        pixels = ImageSource(Path(picture.path or ""), parse_box(picture.box))
    else:
        from promptreid.data.images.decode import decode_picture  # loads PyTorch

        decoded = decode_picture(picture.crop, Path(picture.path or what))
        pixels = decoded.permute(1, 2, 0).contiguous().numpy()
    if row is None:
        return GalleryImage(pixels)
    return GalleryImage(
        pixels,
        camera=row.camera,
        view=row.attributes.get(VIEW),
        time=row.time,
        domain=row.domain,
        attributes=row.attributes,
    )


def _check_faults(records: Records, faults: dict[str, str]) -> None:
    if not faults:
        return
    told = shorten_list(
        [f"{what}: {fault}" for what, fault in faults.items()], limit=_FAULTS_TOLD, separator="; "
    )
    raise GalleryError(
        f"{counted(len(faults), 'picture')} of {records.place} cannot be embedded anew, so the old "
        f"vectors are searched as before: {told}. Put the pictures back where they were, or erase "
        f"them (promptreid gallery erase {records.place} --entry N; promptreid gallery not "
        f"{records.place} --remove N), and give the command again; it goes on where it was."
    )


def _in_parts(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), _AT_A_TIME):
        yield numbers[start : start + _AT_A_TIME]
