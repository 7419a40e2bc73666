"""What was read of a folder of pictures: one line for each, written once it is in the gallery."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from promptreid.data.images.boxes import ImageSource
from promptreid.files import write_text

if TYPE_CHECKING:
    from promptreid.gallery.vector_model import GalleryImage

LOG = "pictures.jsonl"

OWN, TWIN, UNREADABLE = "own", "twin", "unreadable"
"""What became of a picture: it has an entry, another with the same content has it, or none has."""


@dataclass(frozen=True)
class LoggedPicture:
    """A picture that was read.

    Attributes:
        stamp: Digest of its file's size and time of change, and of all that is known of it.
        state: One of "own", "twin" and "unreadable".
    """

    stamp: str
    state: str


class PictureLog:
    """The log beside the records of a gallery; lines are added at the end.

    A line that a killed process wrote in part counts as none, so that its picture is read again.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder of the gallery."""
        self._file = folder / LOG

    def read(self) -> dict[str, LoggedPicture]:
        """Return what was read, by key; empty where the log is missing or is none."""
        logged: dict[str, LoggedPicture] = {}
        try:
            lines = self._file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return logged
        for line in lines:
            with contextlib.suppress(ValueError, TypeError):
                key, stamp, state = json.loads(line)
                logged[str(key)] = LoggedPicture(str(stamp), str(state))
        return logged

    def append(self, logged: dict[str, LoggedPicture]) -> None:
        """Write lines at the end."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write("\n" + _write_lines(logged.items()))  # a torn line before stays torn alone

    def replace(self, logged: dict[str, LoggedPicture]) -> None:
        """Write the log anew, in one step."""
        write_text(self._file, _write_lines(logged.items()))


def make_key(path: str, box: str) -> str:
    """Name a picture, or a part of one, in the log."""
    return f"{path}\n{box}" if box else path


def key_picture(image: GalleryImage) -> str:
    """Name an image in the log, by the path that its entry has."""
    pixels = image.pixels
    assert isinstance(pixels, Path | ImageSource)
    source = ImageSource(pixels) if isinstance(pixels, Path) else pixels
    return make_key(str(source.path.absolute()), "" if source.box is None else str(source.box))


def stamp_picture(image: GalleryImage, name: str) -> str:
    """Digest what the entry of a picture depends on: its file now, and what is known of it."""
    pixels = image.pixels
    assert isinstance(pixels, Path | ImageSource)
    file: list[int] = []
    with contextlib.suppress(OSError):
        status = (pixels if isinstance(pixels, Path) else pixels.path).stat()
        file = [status.st_size, status.st_mtime_ns]
    known = [name, image.camera, image.view, image.time, image.domain, dict(image.attributes)]
    text = json.dumps([*file, *known], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _write_lines(logged: Iterable[tuple[str, LoggedPicture]]) -> str:
    return "".join(json.dumps([key, one.stamp, one.state]) + "\n" for key, one in logged)
