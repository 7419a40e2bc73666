"""Ground truth of MOTChallenge: boxes line by line, and how much of each is visible."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from promptreid.data.annotations.marked_box import MarkedBox
from promptreid.data.annotations.mot_sequences import MotSequence
from promptreid.data.images.regular_files import explain_irregular
from promptreid.data.tables.table_messages import quote_cell
from promptreid.errors import DataError
from promptreid.text.number_words import read_whole

PEDESTRIAN = "1"
"""Class of walking people in MOT16, MOT17 and MOT20, and of everything in DanceTrack."""

_COLUMNS = "frame, identity, left, top, width, height, consider, class, visibility"
_LEAST = 6  # cells of a line; MOT15 and trackers write ten, of which the last three are a place
_CLASS, _WITH_VISIBILITY = 7, 9


def read_mot_boxes(
    sequence: MotSequence, frames: Mapping[int, str], *, prefix: str
) -> list[MarkedBox]:
    """Read the boxes of a sequence that count (consider is not 0) on some of its frames.

    Coordinates count from 1 in MOTChallenge, and from 0 here and in exports of CVAT and Datumaro,
    which are told by the `labels.txt` that they write. Where a file states no visibility (it is 1
    everywhere or missing, as in DanceTrack), it is what no box of a nearer thing hides: of two
    boxes, the one that reaches further down is nearer.

    Args:
        sequence: Where the boxes are.
        frames: Number of each frame that is read, and the role of its images, empty where roles are
            drawn.
        prefix: What paths of frames start with: the folder of the sequence, and a slash.

    Raises:
        DataError: When a line is none of ground truth (file and line are named).
    """
    names = read_labels(sequence)
    boxes, counting = [], []
    for line, cells in _read_lines(sequence, frames):
        marked = _mark(sequence, line, cells, names, prefix)
        boxes.append(replace(marked, split=frames[int(cells[0])]))
        counting.append(len(cells) <= _LEAST or cells[_LEAST] != 0)
    if {marked.visibility for marked in boxes} <= {None, 1.0}:
        boxes = _estimate_visibility(boxes)
    return [marked for marked, counts in zip(boxes, counting, strict=True) if counts]


def read_labels(sequence: MotSequence) -> dict[str, str]:
    """Read the names of classes that CVAT writes beside the boxes; MOTChallenge has none."""
    file = sequence.ground_truth.parent / "labels.txt"
    if not file.is_file():
        return {}
    lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    return {str(number): name.strip() for number, name in enumerate(lines, 1) if name.strip()}


def _read_lines(
    sequence: MotSequence, frames: Collection[int]
) -> Iterator[tuple[int, list[float]]]:
    """Yield line and cells of the boxes on some frames; lines of others are not looked at."""
    file = sequence.ground_truth
    reason = explain_irregular(file)
    if reason:
        raise DataError(f"{file} cannot be read: {reason}.")
    with file.open(encoding="utf-8-sig", errors="replace") as stream:
        for number, line in enumerate(stream, start=1):
            first = read_whole(line.partition(",")[0])
            if (first is not None and first not in frames) or not line.strip():
                continue
            try:
                cells = list(map(float, line.split(",")))
            except ValueError:
                cells = []
            whole = sum(float(cell).is_integer() for cell in cells[:2])
            if len(cells) < _LEAST or whole < 2 or not all(map(math.isfinite, cells)):
                raise DataError(
                    f"{file}, line {number}: {quote_cell(line.strip())} is no line of ground "
                    f"truth, which holds {_COLUMNS} as numbers with commas between them."
                )
            if int(cells[0]) in frames:
                yield number, cells


def _mark(
    sequence: MotSequence, line: int, cells: Sequence[float], names: Mapping[str, str], prefix: str
) -> MarkedBox:
    frame, track = int(cells[0]), int(cells[1])
    left, top, width, height = cells[2:6]
    has_class = _CLASS < len(cells) <= _WITH_VISIBILITY and cells[_CLASS] >= 0
    label = str(int(cells[_CLASS])) if has_class else PEDESTRIAN
    states = len(cells) == _WITH_VISIBILITY and cells[-1] >= 0
    if not names:
        left, top = left - 1, top - 1
    return MarkedBox(
        picture=f"{prefix}{sequence.frames.get(frame, f'frame {frame}')}",
        edges=(left, top, left + width, top + height),
        identity=f"{sequence.name}_{track}",
        place=f"{sequence.ground_truth}, line {line}",
        label=names.get(label, label),
        sequence=sequence.name,
        frame=frame,
        visibility=cells[-1] if states else None,
        size=sequence.size,
        attributes={"track": str(track)},
    )


def _estimate_visibility(boxes: Sequence[MarkedBox]) -> list[MarkedBox]:
    frames: dict[int | None, list[int]] = {}
    for row, marked in enumerate(boxes):
        frames.setdefault(marked.frame, []).append(row)
    visible = np.ones(len(boxes))
    for rows in frames.values():
        visible[rows] = visible_fractions(np.array([boxes[row].edges for row in rows]))
    return [
        replace(marked, visibility=float(one)) for marked, one in zip(boxes, visible, strict=True)
    ]


def visible_fractions(edges: np.ndarray) -> np.ndarray:
    """Estimate which fraction of each box on one frame no nearer box hides.

    Args:
        edges: Left, top, right and bottom of each box (N, 4), float.

    Returns:
        1 less the largest fraction that one box whose lower edge is lower covers, (N,).
    """
    left, top, right, bottom = edges.T
    across = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    down = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    covered = np.clip(across, 0, None) * np.clip(down, 0, None)
    covered[bottom[:, None] >= bottom] = 0  # the other box is no nearer
    area = np.maximum((right - left) * (bottom - top), 1e-9)
    return 1 - np.minimum(covered.max(axis=1, initial=0) / area, 1)
