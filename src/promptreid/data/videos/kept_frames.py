"""Frames of videos as JPEG files, written once."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from promptreid.data.videos.decoded_frames import Numbers, decode_frames
from promptreid.errors import DataError
from promptreid.files import full_path, replacing, user_cache, write_text
from promptreid.text.lists import counted

_QUALITY = 95
_RECORD = "frames.json"


def default_frame_cache() -> Path:
    """Return the user's folder of frames of videos."""
    return user_cache("frames")


def count_frames(cache: Path) -> int:
    """Return the bytes that a folder of frames takes."""
    return sum(file.stat().st_size for file in cache.rglob("*") if file.is_file())


def clear_frames(cache: Path) -> int:
    """Remove all frames; who reads the videos again decodes them again.

    Returns:
        The bytes that were freed.
    """
    before = count_frames(cache)
    shutil.rmtree(cache, ignore_errors=True)
    return before - count_frames(cache)


@dataclass(frozen=True)
class WrittenFrames:
    """What is on disk of one video.

    Attributes:
        size: Bytes of the video.
        changed: When the video was last changed, in nanoseconds.
        numbers: Numbers of the frames that are there.
        length: Number of frames of the video; None where it was not decoded to its end.
    """

    size: int
    changed: int
    numbers: frozenset[int] = frozenset()
    length: int | None = None

    def lacks(self, wanted: Numbers) -> bool:
        """Tell whether frames that are wanted have to be decoded first."""
        if self.length is not None:
            return any(number not in self.numbers for number in self.within(wanted))
        return isinstance(wanted, range) or not wanted <= self.numbers

    def within(self, wanted: Numbers) -> Iterable[int]:
        """Return the numbers that the video has of those that are wanted, in order."""
        if isinstance(wanted, range):
            return range(wanted.start, self.length or 0, wanted.step)
        return sorted(n for n in wanted if self.length is None or n < self.length)


class FrameFolder:
    """A folder with the frames of the videos of another.

    Attributes:
        path: The folder. A frame of `anna/front.mp4` is `anna/front.mp4/000010.jpg` in it.
        written: How many frames have been written to it by this object.
    """

    def __init__(self, root: Path, cache: Path | None) -> None:
        """Choose the folder; nothing is written yet.

        Args:
            root: Where the videos are.
            cache: The folder that the user named; None for one in the user's cache.
        """
        self._root = root
        digest = hashlib.sha256(str(full_path(root)).encode()).hexdigest()[:12]
        kept = default_frame_cache() / f"{root.name or 'videos'}-{digest}"
        self.path = full_path(cache) if cache else kept
        self.written = 0

    def keep(self, video: str, wanted: Numbers) -> list[int]:
        """Write the frames of a video that are wanted and not there yet.

        Args:
            video: Its path below the root, with slashes.
            wanted: Numbers of frames, from 0.

        Returns:
            The numbers of those that the video has, in order.

        Raises:
            DataError: The video cannot be decoded, or nothing can be written.
        """
        kept = self._read_record(video)
        if kept.lacks(wanted):
            kept = self._decode(video, wanted, kept)
        return list(kept.within(wanted))

    def describe(self, count: int, *, every: int) -> str:
        """Say in a sentence how many frames lie where, and how many were written now."""
        written = f"; {self.written:,} of them were written now" if self.written else ""
        taken = "" if every == 1 else f" (every={every})"
        return f"{counted(count, 'frame')}{taken} lie in {self.path}{written}."

    @staticmethod
    def name_frame(video: str, number: int) -> str:
        """Return the path of a frame below the folder."""
        return f"{video}/{number:06d}.jpg"

    def _read_record(self, video: str) -> WrittenFrames:
        """Read what is there of a video; nothing where another or a changed one was decoded."""
        status = (self._root / video).stat()
        fresh = WrittenFrames(status.st_size, status.st_mtime_ns)
        with suppress(OSError, ValueError, KeyError, TypeError):
            record = json.loads((self.path / video / _RECORD).read_text(encoding="utf-8"))
            numbers = frozenset(map(int, record["numbers"]))
            length = None if record["length"] is None else int(record["length"])
            kept = WrittenFrames(record["size"], record["changed"], numbers, length)
            there = all((self.path / self.name_frame(video, n)).is_file() for n in numbers)
            if there and (kept.size, kept.changed) == (fresh.size, fresh.changed):
                return kept
        return fresh

    def _decode(self, video: str, wanted: Numbers, kept: WrittenFrames) -> WrittenFrames:
        missing = wanted if isinstance(wanted, range) else wanted - kept.numbers
        length, numbers = 0, set(kept.numbers)
        for frame in decode_frames(self._root / video, missing):
            length = frame.number + 1
            if frame.image is None or frame.number in kept.numbers:
                continue
            place = self.path / self.name_frame(video, frame.number)
            try:
                with replacing(place, durable=False) as temporary:
                    frame.image.save(temporary, format="JPEG", quality=_QUALITY)
            except OSError as error:
                raise DataError(
                    f"The frames of {self._root / video} cannot be written to {self.path}: "
                    f"{error.strerror or error}. The option cache=DIR names another folder."
                ) from error
            numbers.add(frame.number)
            self.written += 1
        ended = isinstance(wanted, range) or length <= max(missing, default=-1)
        whole = WrittenFrames(
            kept.size, kept.changed, frozenset(numbers), length if ended else kept.length
        )
        record = {
            "size": whole.size,
            "changed": whole.changed,
            "numbers": sorted(numbers),
            "length": whole.length,
        }
        write_text(self.path / video / _RECORD, json.dumps(record))
        return whole
