"""Rectangles of Label Studio that move through videos: key frames, and what lies between them.

A key frame counts from 1 and says where the rectangle is, in percents of the frame. From it to the
next one each side moves evenly, unless the key frame is not `enabled`: then the rectangle is gone
behind it. Behind the last one it stays where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from promptreid.data.annotations.json_annotations import entries, numbers, whole
from promptreid.data.annotations.label_studio_regions import Region, first_word
from promptreid.data.annotations.marked_box import MarkedBox, sort_attributes
from promptreid.data.videos.decoded_frames import VideoFacts
from promptreid.data.videos.kept_frames import FrameFolder
from promptreid.errors import DataError

_SIDES = ("x", "y", "width", "height")
_MOST_FRAMES = 1_000_000  # on which a rectangle may be; half a day of a video
_ROUNDING = 1e-6  # of a product that is a whole number but for rounding


@dataclass(frozen=True)
class _KeyFrame:
    """Where a rectangle is on a frame: number from 1, percents, and whether it stays behind it."""

    frame: int
    percents: Sequence[float]
    stays: bool
    turned: bool


def mark_track(
    region: Region, key: str, video: str, facts: VideoFacts
) -> tuple[list[MarkedBox], int]:
    """Return the upright boxes of a region on the frames of its video, and how many are rotated.

    Label Studio numbers frames by the rate that its settings name. Where the file itself has
    another rate, the frame that is shown at the same time is taken.

    Args:
        region: What was drawn.
        key: The control that says who is shown; empty where the region is an identity.
        video: Path of the video below the folder of all.
        facts: What the file of the video says of itself.

    Raises:
        DataError: A key frame is damaged; it is named.
    """
    value = region.rectangle["value"]
    keys = _read_key_frames(region.place, value)
    step = _frames_in_one(value, facts)
    end = min(int((facts.length or _MOST_FRAMES) / step), _MOST_FRAMES)
    count = whole(value.get("framesCount"))
    boxes: dict[int, MarkedBox] = {}
    turned = 0
    for frame, percents, is_turned in _follow(keys, min(count or keys[-1].frame, end), end):
        number = int((frame - 1) * step + _ROUNDING)
        if is_turned:
            turned += 1
        elif number not in boxes:
            boxes[number] = _mark(region, key, video, number, percents, facts.size)
    return list(boxes.values()), turned


def _read_key_frames(place: str, value: Mapping[str, Any]) -> list[_KeyFrame]:
    keys: dict[int, _KeyFrame] = {}
    for at, entry in enumerate(entries(value.get("sequence"), place=f"{place}.value.sequence")):
        here = f"{place}.value.sequence[{at}]"
        frame = whole(entry.get("frame"))
        if frame is None or frame < 1:
            raise DataError(f"{here}.frame is no number of a frame, which are counted from 1.")
        keys[frame] = _KeyFrame(
            frame=frame,
            percents=numbers([entry.get(side) for side in _SIDES], 4, place=here),
            stays=entry.get("enabled") is not False,
            turned=numbers([entry.get("rotation", 0)], 1, place=f"{here}.rotation")[0] % 360 != 0,
        )
    if not keys:
        raise DataError(f"{place}.value.sequence has no key frame.")
    return [keys[frame] for frame in sorted(keys)]


def _frames_in_one(value: Mapping[str, Any], facts: VideoFacts) -> float:
    """Return how many frames of the file pass in one that the export counts."""
    count, duration = whole(value.get("framesCount")), value.get("duration")
    if not count or not isinstance(duration, (int, float)) or duration <= 0 or not facts.rate:
        return 1.0
    in_file = facts.rate * duration
    return in_file / count if abs(in_file - count) > max(2, 0.01 * count) else 1.0


def _follow(
    keys: Sequence[_KeyFrame], last: int, end: int
) -> Iterator[tuple[int, Sequence[float], bool]]:
    """Yield the frames on which a rectangle is: number, percents, and whether it is rotated.

    Args:
        keys: Key frames in order.
        last: The frame up to which it stays behind the last key frame.
        end: The last frame between key frames that the video may have.
    """
    for key, following in pairwise(keys):
        yield key.frame, key.percents, key.turned
        if not key.stays:
            continue
        for frame in range(key.frame + 1, min(following.frame, end + 1)):
            share = (frame - key.frame) / (following.frame - key.frame)
            percents = [
                a + share * (b - a) for a, b in zip(key.percents, following.percents, strict=True)
            ]
            yield frame, percents, key.turned or following.turned
    final = keys[-1]
    for frame in range(final.frame, max(last if final.stays else 0, final.frame) + 1):
        yield frame, final.percents, final.turned


def _mark(
    region: Region,
    key: str,
    video: str,
    number: int,
    percents: Sequence[float],
    size: tuple[int, int],
) -> MarkedBox:
    left, top, width, height = (part * size[at % 2] / 100 for at, part in enumerate(percents))
    names, others = sort_attributes({k: v for k, v in region.said.items() if k != key})
    camera = video.rpartition("/")[2].rpartition(".")[0] if key else ""
    return MarkedBox(
        picture=FrameFolder.name_frame(video, number),
        edges=(left, top, left + width, top + height),
        identity=region.said.get(key, "") if key else f"{video}_{region.name}",
        place=f"{region.place}, frame {number + 1}",
        label=first_word(region.rectangle["value"], "labels") or region.label,
        sequence=video,
        frame=number,
        size=size,
        camera=names.get("camera", camera),
        view=names.get("view", ""),
        domain=names.get("domain", ""),
        attributes=others,
    )
