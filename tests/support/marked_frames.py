"""Frames of videos on which boxes are filled, each with the colour of whom it shows."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

Edges = tuple[int, int, int, int]
SIZE = 96, 64
"""Width and height of a frame in pixels."""


def colour_of(name: str) -> tuple[int, int, int]:
    """Return the colour that stands for a name."""
    number = zlib.crc32(name.encode())
    return number & 255, number >> 8 & 255, number >> 16 & 255


def draw_frame(file: Path, boxes: Mapping[str, Edges], size: tuple[int, int] = SIZE) -> None:
    """Write a grey frame without loss, with a filled box (edges from 0) for each name."""
    pixels = np.full((size[1], size[0], 3), 128, np.uint8)
    for name, (left, top, right, bottom) in boxes.items():
        pixels[max(top, 0) : bottom, max(left, 0) : right] = colour_of(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file, format="PNG", compress_level=0)


def write_sequence(
    folder: Path,
    frames: Iterable[Mapping[str, Edges]],
    *,
    visibility: float | None = 0.9,
    columns: str = "1,1",
    first: int = 1,
    info: bool = True,
) -> None:
    """Write frames and ground truth as MOTChallenge does, where names are numbers of tracks.

    Args:
        folder: The sequence.
        frames: Tracks and their boxes, edges from 0, one mapping a frame.
        visibility: What each line states; None for none.
        columns: Consider and class of each line.
        first: Number of the first frame.
        info: Write `seqinfo.ini`.
    """
    lines, count = [], first - 1
    for count, boxes in enumerate(frames, first):
        named = {f"{folder.name}_{track}": edges for track, edges in boxes.items()}
        draw_frame(folder / f"img1/{count:06d}.jpg", named)
        for track, (left, top, right, bottom) in boxes.items():
            box = f"{left + 1},{top + 1},{right - left},{bottom - top}"
            end = "" if visibility is None else f",{visibility}"
            lines.append(f"{count},{track},{box},{columns}{end}")
    (folder / "gt").mkdir()
    (folder / "gt/gt.txt").write_text("\n".join(lines) + "\n")
    if info:
        (folder / "seqinfo.ini").write_text(
            f"[Sequence]\nname={folder.name}\nimDir=img1\nframeRate=30\nseqLength={count}\n"
            f"imWidth={SIZE[0]}\nimHeight={SIZE[1]}\nimExt=.jpg\n"
        )
