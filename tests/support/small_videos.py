"""Videos of a few frames, each of one colour."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

Colour = tuple[int, int, int]
SIZE = 64, 48
"""Width and height in pixels."""


def write_video(file: Path, colours: Sequence[Colour], *, corner: Colour | None = None) -> Path:
    """Write a frame of each colour, with a block of another in the upper left corner if given."""
    import av

    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = SIZE
        stream.pix_fmt, stream.bit_rate = "yuv420p", 2_000_000
        for colour in colours:
            pixels = np.full((SIZE[1], SIZE[0], 3), colour, np.uint8)
            if corner is not None:
                pixels[:16, :16] = corner
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return file


def state_rotation(file: Path) -> None:
    """Let a file state that it is shown turned by a quarter with the clock, as phones do."""
    content = file.read_bytes()
    at = content.index(b"tkhd") + 4 + 40  # the matrix in the header of the track
    one = 0x10000
    matrix = (0, one, 0, -one, 0, 0, SIZE[1] * one, 0, 0x40000000)
    packed = b"".join(number.to_bytes(4, "big", signed=True) for number in matrix)
    file.write_bytes(content[:at] + packed + content[at + 36 :])
