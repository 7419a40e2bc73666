"""MSMT17 (Wei et al., CVPR 2018), version 1 and version 2.

`{train,test}` (V1) or `{mask_train_v2,mask_test_v2}` (V2, faces masked) hold
`0000/0000_000_01_0303morning_0008_0.jpg`: the third number is the camera, here "1". The files
`list_{train,val,query,gallery}.txt` give path and identity. Training and test identities are both
numbered from 0 though they are different people; test identities are moved up behind them here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field

from promptreid.data.dataset import DataSet
from promptreid.data.folders.layout import (
    describe_contents,
    find_root,
    has_all,
    note_empty_splits,
    subfolders,
    text_lines,
)
from promptreid.data.folders.listed_images import keep_existing, note_unlisted
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.protocol import fixed_protocol
from promptreid.data.readers.reader_options import CameraOptions, MissingOptions
from promptreid.errors import DataError

LISTS = ("train", "val", "query", "gallery")
VERSIONS = {"v1": ("train", "test"), "v2": ("mask_train_v2", "mask_test_v2")}

_NAME = re.compile(r"[0-9]+_[0-9]+_([0-9]{1,9})_.*")
_IDENTITY = re.compile(r"[0-9]{1,9}")


class Options(CameraOptions, MissingOptions):
    """Options of `msmt17`."""

    val: Literal["train", "val"] = Field(
        "train",
        description="train on the images of list_val.txt too, as published work does, or keep them "
        "for validation",
    )
    version: Literal["auto", "v1", "v2"] = Field(
        "auto", description="which images to use; only needed when both versions lie there"
    )


def read(root: Path, options: Options) -> DataSet:
    """Read MSMT17 from the folder with the list files and the image folders, or one around it.

    The version is told from the folder names and said in the notes.

    Raises:
        DataError: When the layout is not found, a list line cannot be read, or listed images are
            missing.
    """
    lists = [f"list_{name}.txt" for name in LISTS]
    home, notes = find_root(
        root,
        has_all(*lists),
        wanted=f"the files {', '.join(lists)}",
        nested=("MSMT17", "MSMT17_V1", "MSMT17_V2", "msmt17/MSMT17_V1", "msmt17/MSMT17_V2"),
    )
    version, folders = _version(home, options.version)
    rows = {name: _read_list(home / f"list_{name}.txt") for name in LISTS}
    shift = 1 + max(
        (identity for name in ("train", "val") for _, identity, _ in rows[name]), default=-1
    )
    samples = [
        Sample(
            path=f"{folders[name in ('query', 'gallery')]}/{path}",
            identity=str(identity + (shift if name in ("query", "gallery") else 0)),
            split=options.val if name == "val" else name,
            camera=camera,
        )
        for name in LISTS
        for path, identity, camera in rows[name]
    ]
    if not samples:
        raise DataError(f"The list files in {home} are empty.")
    unlisted = note_unlisted((sample.path for sample in samples), home, listed_in="the list files")
    samples, skipped = keep_existing(
        samples, home, missing=options.missing, listed_in="the list files"
    )
    manifest = Manifest.of("msmt17", home, samples)
    protocol = fixed_protocol(
        manifest,
        name=f"msmt17/{version}",
        same_camera=options.same_camera,
        note=f"MSMT17 {version.upper()}, one query set against one gallery.",
    )
    masked = ", whose faces are masked: scores are not comparable with V1"
    notes += (
        f"This is MSMT17 {version.upper()}{masked if version == 'v2' else ''}.",
        f"Test identities are numbered from {shift}, behind the training identities.",
        "The images of list_val.txt are "
        + ("trained on, as in published work." if options.val == "train" else "for validation."),
        *skipped,
        *unlisted,
        *note_empty_splits(samples, ("train", "query", "gallery")),
    )
    return DataSet(f"msmt17:{root}", manifest, protocol, notes)


def _version(home: Path, asked: str) -> tuple[str, tuple[str, str]]:
    """Return the version and its train and test folders; V2 is also met in other letter case."""
    names = {folder.name.lower(): folder.name for folder in subfolders(home)}
    versions = {
        version: (names[folders[0]], names[folders[1]])
        for version, folders in VERSIONS.items()
        if all(folder in names for folder in folders)
    }
    if asked != "auto":
        versions = {version: folders for version, folders in versions.items() if version == asked}
    if not versions:
        looked = VERSIONS.items() if asked == "auto" else [(asked, VERSIONS[asked])]
        wanted = " or ".join(f"{a} and {b} ({version.upper()})" for version, (a, b) in looked)
        raise DataError(f"Looked in {home} for {wanted}, but it holds {describe_contents(home)}.")
    if len(versions) > 1:
        raise DataError(f"{home} holds both V1 and V2; add the option version=v1 or version=v2.")
    return next(iter(versions.items()))


def _read_list(file: Path) -> Sequence[tuple[str, int, str]]:
    rows = []
    for line, words in text_lines(file):
        match = _NAME.fullmatch(PurePosixPath(words[0]).name)
        if len(words) != 2 or match is None or not _IDENTITY.fullmatch(words[1]):
            raise DataError(
                f"{file}, line {line}: {' '.join(words)!r} is not an image and its identity, as in "
                "'0000/0000_000_01_0303morning_0008_0.jpg 0'."
            )
        rows.append((words[0], int(words[1]), str(int(match[1]))))
    return rows
