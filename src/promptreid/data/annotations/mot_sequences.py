"""Sequences of MOTChallenge: which there are, their frames and their size."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from promptreid.data.folders.layout import describe_contents, subfolders
from promptreid.data.folders.listing import list_folder
from promptreid.errors import DataError
from promptreid.text.lists import counted, listed, shorten_list
from promptreid.text.number_words import read_whole

PARTS: Mapping[str, str] = {"train": "train", "val": "test", "test": "test"}
"""Folders that sequences may lie in, and the role of what they hold."""

_DETECTOR = re.compile(r"-(DPM|FRCNN|SDP)$")
_NUMBER = re.compile(r"(\d+)$")
_GROUND_TRUTH = Path("gt", "gt.txt")


@dataclass(frozen=True)
class MotSequence:
    """One sequence.

    Attributes:
        name: Its name, without that of a detector.
        folder: Where it lies.
        part: Name of the folder above it where that is one of `PARTS`, else empty.
        frames: Number of each frame to its file, relative to `folder`.
        length: Number of frames that the sequence has.
        size: Width and height of its frames in pixels, None where `seqinfo.ini` does not say.
    """

    name: str
    folder: Path
    part: str
    frames: Mapping[int, str]
    length: int
    size: tuple[int, int] | None

    @property
    def ground_truth(self) -> Path:
        """The file of its boxes."""
        return self.folder / _GROUND_TRUTH

    @property
    def middle(self) -> int:
        """The last frame of the first half, as trackers are tuned on MOT17."""
        return self.length // 2 + 1


def find_sequences(root: Path) -> tuple[list[MotSequence], tuple[str, ...]]:
    """Find the sequences that have ground truth: the root, folders in it, or in its parts.

    MOT17 holds each sequence three times, with the boxes of three detectors; one of them is read.

    Raises:
        DataError: When there is none, or one has no frames.
    """
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; looked there for sequences with {_GROUND_TRUTH}.")
    folders = [root] if (root / _GROUND_TRUTH).is_file() else []
    folders = folders or _with_ground_truth(subfolders(root))
    if not folders:
        inside = [subfolders(root / part) for part in PARTS if (root / part).is_dir()]
        folders = _with_ground_truth(folder for some in inside for folder in some)
    if not folders:
        raise DataError(
            f"Looked in {root} for sequences with {_GROUND_TRUTH}, but it holds "
            f"{describe_contents(root)}. The test part of MOTChallenge is published without it."
        )
    copies: dict[tuple[str, str], list[Path]] = {}
    for folder in folders:
        part = folder.parent.name if folder.parent.name in PARTS and folder != root else ""
        copies.setdefault((part, _DETECTOR.sub("", folder.name)), []).append(folder)
    sequences = [_open(name, part, same[0]) for (part, name), same in copies.items()]
    doubled = [same for same in copies.values() if len(same) > 1]
    if not doubled:
        return sequences, ()
    names = shorten_list([same[0].name for same in doubled])
    return sequences, (
        f"{counted(len(doubled), 'sequence lies', 'sequences lie')} there once for each detector, "
        f"with the same frames and boxes; read are {names}.",
    )


def choose_sequences(sequences: list[MotSequence], names: str) -> list[MotSequence]:
    """Choose sequences by name.

    Args:
        sequences: All there are.
        names: Names with commas between them; empty for all.

    Raises:
        DataError: There is none of a name.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    there = [sequence.name for sequence in sequences]
    for name in wanted:
        if _DETECTOR.sub("", name) not in there:
            raise DataError(f"There is no sequence {name!r}, only {listed(sorted(there))}.")
    chosen = {_DETECTOR.sub("", name) for name in wanted}
    return [sequence for sequence in sequences if not chosen or sequence.name in chosen]


def _with_ground_truth(folders: Iterable[Path]) -> list[Path]:
    return [folder for folder in folders if (folder / _GROUND_TRUTH).is_file()]


def _open(name: str, part: str, folder: Path) -> MotSequence:
    info = _read_info(folder / "seqinfo.ini")
    place = info.get("imdir", "img1")
    if not (folder / place).is_dir():
        raise DataError(
            f"{folder} has no folder {place} with its frames; it holds {describe_contents(folder)}."
        )
    frames = {
        int(match[1]): f"{place}/{file}"
        for file in list_folder(folder / place).images
        if (match := _NUMBER.search(Path(file).stem))
    }
    if not frames:
        raise DataError(f"{folder / place} has no frames, which are images named by a number.")
    size = _whole(info, "imwidth"), _whole(info, "imheight")
    return MotSequence(
        name=name,
        folder=folder,
        part=part,
        frames=frames,
        length=_whole(info, "seqlength") or max(frames),
        size=size if all(size) else None,  # ty: ignore[invalid-argument-type]
    )


def _read_info(file: Path) -> dict[str, str]:
    """Read `seqinfo.ini`, which tools may leave out; keys are in small letters."""
    if not file.is_file():
        return {}
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(file.read_text(encoding="utf-8-sig"), source=str(file))
    except (configparser.Error, UnicodeDecodeError) as error:
        words = " ".join(str(error).split())
        raise DataError(f"{file} cannot be read as the facts on a sequence: {words}.") from error
    return dict(parser["Sequence"]) if parser.has_section("Sequence") else {}


def _whole(info: Mapping[str, str], key: str) -> int | None:
    return read_whole(info.get(key, ""))
