"""Ground truth of trackers: MOT16, MOT17, MOT20, DanceTrack, and what CVAT exports as MOT.

`SEQUENCE/{img1/000001.jpg,gt/gt.txt,seqinfo.ini}`, in the folder named or below its `train`, `val`
and `test`. Each line of `gt.txt` is a box; an identity is a sequence and a track in it. Nothing is
said of cameras, since no identity leaves its sequence and the same-camera rule would leave no
match. (Milan et al., MOT16: A Benchmark for Multi-Object Tracking, 2016; Sun et al., DanceTrack,
CVPR 2022.)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from promptreid.data.annotations.box_options import BoxOptions
from promptreid.data.annotations.boxed_data import WITHIN_VIDEO, make_boxed_data
from promptreid.data.annotations.mot_boxes import PEDESTRIAN, read_labels, read_mot_boxes
from promptreid.data.annotations.mot_sequences import (
    PARTS,
    MotSequence,
    choose_sequences,
    find_sequences,
)
from promptreid.data.dataset import DataSet
from promptreid.text.lists import counted


class Options(BoxOptions):
    """Options of `mot`."""

    visibility: float = Field(
        0.3,
        ge=0,
        le=1,
        description="leave out boxes of which a smaller fraction is visible; where the files do "
        "not say, it is judged by how boxes overlap",
    )
    every: int = Field(
        5, ge=1, description="take every n-th frame of a sequence, counted from its first one"
    )
    min_height: int = Field(
        64, ge=0, description="leave out boxes of fewer pixels from top to foot"
    )
    classes: str = Field(
        "",
        description="classes that are taken, by number, or by name where labels.txt lies beside "
        "the boxes; by default pedestrians (1), or all that labels.txt names",
    )
    sequences: str = Field(
        "", description="names of the sequences that are read, with commas between; all by default"
    )
    half: Literal["both", "first", "second", "split"] = Field(
        "both",
        description="read the first half of each sequence, as trackers are trained on MOT17, or "
        "the second, or both; split trains on the first and tests on the second, which is a "
        "closed set",
    )


def read(root: Path, options: Options) -> DataSet:
    """Read the boxes of sequences.

    Raises:
        DataError: When there is no sequence with ground truth, a line cannot be read (it is named),
            nothing is taken, or frames are missing.
    """
    sequences, notes = find_sequences(root)
    sequences = choose_sequences(sequences, options.sequences)
    has_parts = len({PARTS.get(sequence.part) for sequence in sequences}) > 1
    boxes, labels = [], set()
    frame_count = 0
    for sequence in sequences:
        frames = _choose_frames(sequence, options, has_parts=has_parts)
        frame_count += len(frames)
        prefix = "" if sequence.folder == root else f"{sequence.folder.relative_to(root)}/"
        boxes += read_mot_boxes(sequence, frames, prefix=prefix.replace("\\", "/"))
        labels.update(read_labels(sequence).values())
    total = sum(sequence.length for sequence in sequences)
    notes += (
        f"{frame_count:,} of {counted(total, 'frame')} of "
        f"{counted(len(sequences), 'sequence')} are read (every={options.every}, "
        f"half={options.half}).",
    )
    if not options.classes and not labels:
        options = options.model_copy(update={"classes": PEDESTRIAN})
    return make_boxed_data(
        boxes,
        root,
        options,
        name=_name(root),
        source=f"mot:{root}",
        visibility=options.visibility,
        notes=(*notes, WITHIN_VIDEO),
    )


def _choose_frames(sequence: MotSequence, options: Options, *, has_parts: bool) -> dict[int, str]:
    """Return the frames that are read, and the role of the images on each."""
    numbers: Sequence[int] = range(min(sequence.frames), sequence.length + 1)
    if options.half == "first":
        numbers = [number for number in numbers if number <= sequence.middle]
    elif options.half == "second":
        numbers = [number for number in numbers if number > sequence.middle]
    chosen = numbers[:: options.every]
    if options.half == "split":
        return {number: "train" if number <= sequence.middle else "test" for number in chosen}
    return dict.fromkeys(chosen, PARTS[sequence.part] if has_parts else "")


def _name(root: Path) -> str:
    """Name the data set by its folder; a part by the folder above it, too."""
    if root.name in PARTS and root.parent.name:
        return f"{root.parent.name}-{root.name}"
    return root.name or "mot"
