"""A table of boxes on the frames of videos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from promptreid.data.annotations.marked_box import MarkedBox, sort_attributes
from promptreid.data.images.boxes import Box
from promptreid.data.manifest.sample_columns import SPLITS
from promptreid.data.tables.box_columns import require_boxes
from promptreid.data.tables.table_messages import list_columns, quote_cell
from promptreid.data.tables.table_reader import Table, read_table
from promptreid.data.videos.kept_frames import FrameFolder
from promptreid.errors import DataError, unknown_name
from promptreid.text.number_words import read_whole

_KNOWN = ("video", "frame", "identity", "track", "label", "split")


@dataclass(frozen=True)
class VideoBoxes:
    """Boxes on frames.

    Attributes:
        table: Their rows, without the columns of the boxes.
        videos: Path of the video of each row.
        frames: Number of the frame of each row, from 0.
        boxes: The box of each row.
    """

    table: Table
    videos: list[str]
    frames: list[int]
    boxes: list[Box]

    @property
    def tracked(self) -> bool:
        """Whether rows name tracks, which are of one video, in the place of identities."""
        return "identity" not in self.table.columns

    def mark(self) -> list[MarkedBox]:
        """Return the boxes on the pictures that `FrameFolder` writes."""
        return [self._mark(row) for row in range(len(self.boxes))]

    def _mark(self, row: int) -> MarkedBox:
        cells = {name: column[row] for name, column in self.table.columns.items()}
        names, others = sort_attributes({n: c for n, c in cells.items() if n not in _KNOWN})
        video, box = self.videos[row], self.boxes[row]
        identity = cells.get("identity", "")
        camera = names.get("camera", "")
        if self.tracked:
            identity = f"{video}_{cells['track']}" if cells["track"] else ""
        elif "camera" not in self.table.columns:
            camera = video.rpartition("/")[2].rpartition(".")[0]
        return MarkedBox(
            picture=FrameFolder.name_frame(video, self.frames[row]),
            edges=(box.left, box.top, box.left + box.width, box.top + box.height),
            identity=identity,
            place=self.table.at(row),
            label=cells.get("label", ""),
            sequence=video,
            frame=self.frames[row],
            split=cells.get("split", ""),
            camera=camera,
            view=names.get("view", ""),
            domain=names.get("domain", ""),
            attributes=others,
        )


def read_video_boxes(file: Path, videos: Mapping[str, str], *, first: int) -> VideoBoxes:
    """Read a table with the columns video, frame, identity or track, and those of a box.

    Args:
        file: The table.
        videos: What it may call videos to their paths.
        first: Number that it gives to the first frame of a video.

    Raises:
        DataError: The file cannot be read, a column is missing, or a cell is wrong (its line is
            named).
    """
    if not file.is_file():
        raise DataError(f"{file} is not a file; a table with video, frame, identity and box is.")
    table = read_table(file, keys=("video", "frame")).stripped()
    _check_columns(table)
    table, found = require_boxes(table)
    paths, frames, boxes = [], [], []
    for row, box in enumerate(found):
        name = table.columns["video"][row].replace("\\", "/")
        if name not in videos:
            raise DataError(f"{table.at(row, 'video')}: {unknown_name('video', name, videos)}")
        cell = table.columns["frame"][row]
        frame = read_whole(cell)
        if frame is None or frame < first:
            raise DataError(
                f"{table.at(row, 'frame')}: {quote_cell(cell)} is no number of a frame, which are "
                f"counted from {first} (the option first says from where)."
            )
        if box is None:
            raise DataError(f"{table.at(row)}: the row has no box.")
        paths.append(videos[name])
        frames.append(frame - first)
        boxes.append(box)
    return VideoBoxes(table, paths, frames, boxes)


def _check_columns(table: Table) -> None:
    columns = table.columns
    if not {"video", "frame"} <= set(columns) or not {"identity", "track"} & set(columns):
        raise DataError(
            f"{table.file} needs the columns video, frame, identity (or track, of one video), and "
            f"a box such as left, top, width, height; it has {list_columns(list(columns))}."
        )
    if not table.lines:
        raise DataError(f"{table.file} has a header but no rows.")
    for row, cell in enumerate(columns.get("split", ())):
        if cell not in SPLITS:
            raise DataError(f"{table.at(row, 'split')}: {unknown_name('split', cell, SPLITS)}")
