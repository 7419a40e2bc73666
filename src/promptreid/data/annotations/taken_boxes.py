"""Which of the boxes of an annotation file are images of a data set, and which are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from promptreid.data.annotations.box_options import BoxOptions
from promptreid.data.annotations.marked_box import MarkedBox, widen
from promptreid.data.images.boxes import Box
from promptreid.errors import DataError, unknown_name
from promptreid.text.lists import listed

Image = tuple[MarkedBox, Box]
"""What was marked, and the pixels that are cut out."""


def take_marked(
    boxes: Sequence[MarkedBox], options: BoxOptions, *, source: str, visibility: float = 0.0
) -> tuple[list[Image], tuple[str, ...]]:
    """Choose boxes by label, frame, height and visibility, and round them to whole pixels.

    Args:
        boxes: All that a file marks.
        options: What is taken.
        source: Where they come from, for messages.
        visibility: Least fraction of a box that must be visible, where it is known.

    Returns:
        What is taken, in order, and a note that counts the rest by reason.

    Raises:
        DataError: When nothing is taken, or none has a label that was asked for.
    """
    if not boxes:
        raise DataError(f"{source} marks no box.")
    _check_labels(boxes, options, source=source)
    first_frames = _find_first_frames(boxes)
    left_out: Counter[str] = Counter()
    taken: list[Image] = []
    for marked in boxes:
        reason = _why_left_out(marked, options, first_frames, visibility)
        box = None
        if not reason:
            box, reason = _cut(marked, options.margin)
        if box is None:
            left_out[reason] += 1
        else:
            taken.append((marked, box))
    taken, notes = _without_doubled(taken)
    reasons = listed([f"{count:,} {reason}" for reason, count in left_out.most_common()])
    if not taken:
        raise DataError(f"None of the {len(boxes):,} boxes of {source} is taken: {reasons}.")
    if reasons:
        count = f"{len(boxes) - left_out.total():,} of {len(boxes):,}"
        notes = (f"{count} boxes are taken; left out are {reasons}.", *notes)
    return taken, notes


def _check_labels(boxes: Iterable[MarkedBox], options: BoxOptions, *, source: str) -> None:
    """Refuse labels that no box has."""
    labels = sorted({marked.label for marked in boxes if marked.label})
    for name in sorted(options.class_names - {label.lower() for label in labels}):
        raise DataError(f"{source}: {unknown_name('label', name, labels)}")


def _find_first_frames(boxes: Iterable[MarkedBox]) -> dict[str, int]:
    first: dict[str, int] = {}
    for marked in boxes:
        if marked.frame is not None:
            first[marked.sequence] = min(first.get(marked.sequence, marked.frame), marked.frame)
    return first


def _why_left_out(
    marked: MarkedBox, options: BoxOptions, first_frames: dict[str, int], visibility: float
) -> str:
    """Say why a box is left out; empty where it is taken."""
    if options.class_names and marked.label.lower() not in options.class_names:
        return "of other labels"
    frame = marked.frame
    if frame is not None and (frame - first_frames[marked.sequence]) % options.every:
        return f"on frames between every {options.every}"
    if marked.height < options.min_height:
        return f"lower than {options.min_height} pixels"
    if marked.visibility is not None and marked.visibility < visibility:
        return f"less visible than {visibility:g}"
    return ""


def _cut(marked: MarkedBox, margin: float) -> tuple[Box | None, str]:
    """Round a box to whole pixels; or say why there are none."""
    try:
        box = Box.of_edges(*widen(marked.edges, margin))
    except ValueError:
        return None, "without a pixel in their picture"
    if marked.size is not None and box.within(*marked.size) is None:
        return None, "without a pixel in their picture"
    return box, ""


def _without_doubled(taken: list[Image]) -> tuple[list[Image], tuple[str, ...]]:
    """Leave out what is marked again, and both of two that call the same pixels differently."""
    groups: dict[tuple[str, Box], list[int]] = {}
    for row, (marked, box) in enumerate(taken):
        groups.setdefault((marked.picture, box), []).append(row)
    if len(groups) == len(taken):
        return taken, ()
    kept, again, contradicting = [], 0, []
    for rows in groups.values():
        names = {taken[row][0].identity for row in rows}
        if len(names) > 1:
            contradicting.append(rows)
            continue
        kept.append(rows[0])
        again += len(rows) - 1
    notes = []
    if again:
        notes.append(f"{again:,} boxes mark what another marks for the same identity; it counts.")
    if contradicting:
        places = listed([taken[row][0].place for row in contradicting[0]])
        count = sum(map(len, contradicting))
        notes.append(
            f"{count:,} boxes are left out, since they mark the same pixels for different "
            f"identities, for example {places}."
        )
    return [taken[row] for row in sorted(kept)], tuple(notes)
