"""Boxes on frames of videos: the frames that are needed are decoded, and only these."""

from __future__ import annotations

from collections.abc import Sequence

from promptreid.data.annotations.box_options import BoxOptions
from promptreid.data.annotations.marked_box import MarkedBox
from promptreid.data.videos.kept_frames import FrameFolder
from promptreid.errors import DataError
from promptreid.text.lists import counted


def keep_on_frames_of_videos(
    boxes: Sequence[MarkedBox], frames: FrameFolder, options: BoxOptions, *, advice: str
) -> tuple[list[MarkedBox], tuple[str, ...]]:
    """Write every n-th frame of each video from its first one with a box on.

    Args:
        boxes: Boxes whose `sequence` is the path of a video, and whose `frame` counts from 0.
        frames: Where frames are written.
        options: Which frames are taken, and whether missing ones stop.
        advice: What to check where boxes are behind the end of their video, a sentence.

    Returns:
        The boxes on these frames, and notes on the frames and on boxes behind the end of videos.

    Raises:
        DataError: A video cannot be decoded, or boxes are behind its end and that is not to be
            skipped.
    """
    numbers: dict[str, set[int]] = {}
    for marked in boxes:
        numbers.setdefault(marked.sequence, set()).add(marked.frame or 0)
    chosen = {
        video: frozenset(n for n in wanted if (n - min(wanted)) % options.every == 0)
        for video, wanted in numbers.items()
    }
    there = {video: set(frames.keep(video, wanted)) for video, wanted in chosen.items()}
    notes = (frames.describe(sum(map(len, there.values())), every=options.every),)
    gone = [
        row
        for row, marked in enumerate(boxes)
        if marked.frame in chosen[marked.sequence] and marked.frame not in there[marked.sequence]
    ]
    if not gone:
        return list(boxes), notes
    first = boxes[gone[0]]
    are = counted(len(gone), "box is", "boxes are")
    words = f"{are} on frames behind the end of their video, such as {first.sequence}"
    if options.missing == "stop" or len(gone) == len(boxes):
        raise DataError(f"{first.place}: {words}. {advice} missing=skip leaves such boxes out.")
    behind = set(gone)
    kept = [marked for row, marked in enumerate(boxes) if row not in behind]
    return kept, (f"{words}; left out.", *notes)
