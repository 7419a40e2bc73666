"""Frames of a video file, decoded one after another by PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from promptreid.data.images.regular_files import explain_irregular
from promptreid.errors import DataError, first_line

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset(
    (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".wmv")
)
"""Endings, in small letters, of files that are taken for videos."""

Numbers = range | frozenset[int]
"""Numbers of frames, counted from 0."""


class Frame(NamedTuple):
    """One frame.

    Attributes:
        number: Its place in the video, from 0.
        image: It as it is seen, upright; None where its number was not asked for.
    """

    number: int
    image: Image | None


def decode_frames(file: Path, numbers: Numbers) -> Iterator[Frame]:
    """Yield all frames of a video up to the last that is asked for, the others without pixels.

    Frames are counted as they are shown. A rotation that the file states, as phones write it, is
    applied.

    Raises:
        DataError: PyAV is missing, or the file is no video or is damaged.
    """
    av = import_av()
    reason = explain_irregular(file)
    if reason:
        raise DataError(f"{file} cannot be read: {reason}.")
    last = numbers[-1] if isinstance(numbers, range) else max(numbers, default=-1)
    number = 0
    try:
        with av.open(str(file)) as container:
            if not container.streams.video:
                raise DataError(f"{file} holds no pictures, only sound or text.")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for number, frame in enumerate(container.decode(stream)):
                yield Frame(number, _turn_upright(frame) if number in numbers else None)
                if number >= last:
                    return
    except av.FFmpegError as error:
        where = f" behind frame {number}" if number else ""
        raise DataError(
            f"{file} cannot be decoded{where}: {first_line(error)}. Copy the file again, or write "
            "it anew: ffmpeg -i OLD -c:v libx264 NEW.mp4."
        ) from error


@dataclass(frozen=True)
class VideoFacts:
    """What a file says of its pictures.

    Attributes:
        size: Width and height of a frame as it is seen, in pixels.
        rate: Frames in a second; 0 where the file does not say.
        length: Number of frames, perhaps one too few; None where the file does not say.
    """

    size: tuple[int, int]
    rate: float
    length: int | None


def read_video_facts(file: Path) -> VideoFacts:
    """Read what a video says of itself, and the size of its first frame.

    Raises:
        DataError: PyAV is missing, or the file is no video, is damaged or has no frame.
    """
    first = next(decode_frames(file, range(1)), None)
    if first is None or first.image is None:
        raise DataError(f"{file} holds no frame.")
    with import_av().open(str(file)) as container:
        stream = container.streams.video[0]
        rate = float(stream.average_rate or 0)
        length = stream.frames or int((container.duration or 0) / 1e6 * rate)
        return VideoFacts(first.image.size, rate, length or None)


def import_av() -> ModuleType:
    """Import PyAV.

    Raises:
        DataError: It is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise DataError(
            "Videos need PyAV: pip install 'promptreid[video]'. Or write their frames yourself, "
            "ffmpeg -i VIDEO -r 5 DIR/IDENTITY/frame_%06d.jpg, and read them as folder:DIR."
        ) from error
    return av


def _turn_upright(frame: Any) -> Image:
    """Return a frame as an image, turned against the clock by the degrees that it states."""
    image: Image = frame.to_image()
    degrees = frame.rotation % 360
    return image.rotate(degrees, expand=True) if degrees else image
