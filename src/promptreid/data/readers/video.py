"""Videos: one folder of them for each identity, or a table of boxes on their frames.

`ROOT/IDENTITY/*.mp4`: every n-th frame is an image, and the camera is the name of the file; where
no identity has videos of two names, nothing is said of cameras, since the same-camera rule would
leave no match. With `boxes=FILE.csv` the videos lie anywhere below the root, and the table has
columns `video`, `frame`, `identity` and a box; further ones as in `csv`. A column `track` in the
place of `identity` holds numbers that are of one video. Frames are written as JPEG once, into the
user's cache or the folder that `cache` names.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from pydantic import Field

from promptreid.data.annotations.box_options import FrameOptions
from promptreid.data.annotations.boxed_data import WITHIN_VIDEO, make_boxed_data
from promptreid.data.dataset import DataSet
from promptreid.data.manifest.manifest import Sample
from promptreid.data.manifest.unknown_values import find_known_identities
from promptreid.data.splits.drawn_roles import choose_protocol, make_manifest, split_samples
from promptreid.data.videos.box_table import read_video_boxes
from promptreid.data.videos.boxes_on_frames import keep_on_frames_of_videos
from promptreid.data.videos.kept_frames import FrameFolder
from promptreid.data.videos.video_folders import find_all_videos, find_identity_videos
from promptreid.errors import ConfigError, DataError
from promptreid.files import full_path
from promptreid.text.lists import listed

_ONLY_WITH_BOXES = ("classes", "min_height", "margin", "missing", "first")


class Options(FrameOptions):
    """Options of `video`."""

    every: int = Field(
        5, ge=1, description="take every n-th frame of a video, counted from its first one"
    )
    boxes: Path | None = Field(
        None,
        description="table of boxes with the columns video, frame, identity or track, and a box "
        "such as left, top, width, height; without it whole frames are taken",
    )
    first: Literal["0", "1"] = Field(
        "0",
        description="number that the table gives to the first frame of a video: 0 as OpenCV and "
        "CVAT count, 1 as MOTChallenge does",
    )


def read(root: Path, options: Options) -> DataSet:
    """Read frames of videos, which are decoded the first time.

    Raises:
        DataError: There are no such videos, one cannot be decoded, a cell of the table is wrong
            (the line is named), PyAV is missing, or frames cannot be written.
        ConfigError: Options need a table of boxes.
    """
    frames = FrameFolder(root, options.cache)
    if options.boxes is not None:
        return _read_boxes(root, full_path(options.boxes), frames, options)
    idle = [name for name in _ONLY_WITH_BOXES if name in options.model_fields_set]
    if idle:
        raise ConfigError(
            f"{listed(idle)} of data set 'video' {'are' if len(idle) > 1 else 'is'} for boxes. "
            "Name their table with boxes=FILE.csv, or leave the option out."
        )
    return _read_folders(root, frames, options)


def _read_folders(root: Path, frames: FrameFolder, options: Options) -> DataSet:
    videos, notes = find_identity_videos(root)
    source, name = f"video:{root}", root.name or "video"
    known, known_notes = find_known_identities(
        list(videos), ["test"] * len(videos), options.unknown_words, source=source
    )
    named = list(videos.items())
    stems = {who: {_stem(file) for file in files} for who, files in videos.items()}
    has_cameras = any(len(stems[named[row][0]]) > 1 for row in known)
    samples = [
        Sample(
            FrameFolder.name_frame(video, number),
            named[row][0].strip(),
            "test",
            camera=_stem(video) if has_cameras else None,
            attributes={"video": video, "frame": str(number)},
        )
        for row in known
        for video in named[row][1]
        for number in frames.keep(video, range(0, sys.maxsize, options.every))
    ]
    if not samples:
        raise DataError(f"The videos of {root} hold no frame.")
    notes += (*known_notes, frames.describe(len(samples), every=options.every))
    notes += () if has_cameras else (WITHIN_VIDEO,)
    samples, split_notes = split_samples(samples, options, name)
    manifest = make_manifest(name, frames.path, samples, options, source=source)
    protocol, protocol_notes = choose_protocol(manifest, options)
    said = (*notes, *split_notes, *protocol_notes)
    return DataSet(source, manifest, protocol, said, own=True, drawn=not manifest.closed)


def _read_boxes(root: Path, file: Path, frames: FrameFolder, options: Options) -> DataSet:
    table = read_video_boxes(file, find_all_videos(root), first=int(options.first))
    boxes, notes = keep_on_frames_of_videos(
        table.mark(),
        frames,
        options,
        advice=f"Check that the table is of these videos and counts frames from {options.first} "
        "(first=).",
    )
    notes += table.table.notes
    return make_boxed_data(
        boxes,
        frames.path,
        options,
        name=root.name or "video",
        source=f"video:{root}",
        notes=(*notes, WITHIN_VIDEO) if table.tracked else notes,
    )


def _stem(video: str) -> str:
    return video.rpartition("/")[2].rpartition(".")[0]
