"""The layout of Market-1501, which NVIDIA TAO, torchreid, FastReID, BoxMOT and Datumaro read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from promptreid.data.dataset import DataSet
from promptreid.data.folders.market_file_names import BACKGROUND, FOLDERS
from promptreid.data.layouts.export_plan import ExportPlan, image_ranks
from promptreid.data.layouts.exported_names import (
    Key,
    are_own_numbers,
    names_table,
    number_keys,
)
from promptreid.data.manifest.manifest import Manifest
from promptreid.errors import DataError
from promptreid.text.lists import counted, listed

_TRAIN, _QUERY, _GALLERY = FOLDERS.values()
_DIGIT = 9  # the last camera that all tools read
_UNKNOWN_CAMERA = 1


def plan_market(dataset: DataSet, *, wide: bool, apart: bool) -> ExportPlan:
    """Plan folders and names: `bounding_box_train/0002_c1s1_000451_00.jpg`.

    Identities are numbered from 1; those that nobody searches for are 0. Cameras are numbered from
    1, and all images of unknown camera are of camera 1. Of a protocol with several draws the first
    is written.

    Args:
        dataset: What is written.
        wide: Allow cameras of two digits.
        apart: Where no camera is known, queries are of camera 1 and the gallery of camera 2.

    Raises:
        DataError: When identities are in training and test, or there are more than nine cameras
            and `wide` is false.
    """
    manifest = dataset.manifest
    if manifest.closed:
        raise DataError(
            f"{dataset.spec} is a closed set, whose test identities train. The layout of "
            "Market-1501 keeps them apart; write it with --layout csv."
        )
    roles, notes = _assign_roles(dataset)
    rows = [row for row, role in enumerate(roles) if role]
    identities, people = _number_identities(dataset, rows)
    cameras, known, camera_notes = _number_cameras(manifest, rows, wide=wide)
    if apart and not known:
        cameras = {row: 1 + (roles[row] == _GALLERY) for row in rows}
        camera_notes = ("Queries are of camera 1 and the gallery of camera 2.",)
    ranks, counts = image_ranks(manifest), {}
    names: dict[int, str] = {}
    for row in sorted(rows, key=lambda row: (ranks[row], roles[row])):
        start = f"{identities[row]:04d}_c{cameras[row]}s1"
        counts[start] = counts.get(start, 0) + 1
        names[row] = f"{roles[row]}/{start}_{counts[start]:06d}_00.jpg"
    tables = {"identities.csv": names_table(people)}
    if known and not are_own_numbers(known):
        tables["cameras.csv"] = names_table(known)
    return ExportPlan(
        rows=tuple(rows),
        paths=tuple(names[row] for row in rows),
        as_jpeg=True,
        reader="market1501",
        options=_reading_options(dataset, known=bool(known), apart=apart),
        folders=tuple(FOLDERS.values()),
        tables=tables,
        notes=(*notes, *camera_notes, *_left_behind(manifest)),
    )


def _reading_options(dataset: DataSet, *, known: bool, apart: bool) -> dict[str, str]:
    keeps = dataset.protocol is not None and dataset.protocol.same_camera == "keep"
    return {"same_camera": "keep"} if keeps and not (apart and not known) else {}


def _assign_roles(dataset: DataSet) -> tuple[list[str], tuple[str, ...]]:
    """Return the folder of each row, empty for what is not written."""
    folders = {"train": _TRAIN, "val": _TRAIN, "query": _QUERY}
    folders |= dict.fromkeys(("gallery", "distractor"), _GALLERY)
    splits = dataset.manifest.splits
    roles = [folders.get(split, "") for split in splits]
    notes: list[str] = []
    if "val" in splits:
        notes.append(
            "Images for validation go to training, since the layout has no place of theirs."
        )
    protocol = dataset.protocol
    if protocol is not None and "test" in splits:
        repeat = protocol.repeats[0]
        for rows, folder in ((repeat.query, _QUERY), (repeat.gallery, _GALLERY)):
            for row in np.asarray(rows).tolist():
                roles[row] = folder
        if len(protocol.repeats) > 1:
            count = len(protocol.repeats)
            notes.append(f"Of {count} draws of queries and gallery the first is written.")
    unused = roles.count("")
    if unused:
        are = "is" if unused == 1 else "are"
        notes.append(f"{counted(unused, 'image')} without a role in the protocol {are} left out.")
    return roles, tuple(notes)


def _number_identities(
    dataset: DataSet, rows: Sequence[int]
) -> tuple[dict[int, int], dict[Key, int]]:
    """Number the identities of rows; 0 stands for those that nobody searches for."""
    manifest = dataset.manifest
    keys = manifest.identity_keys()
    nobody = {
        row
        for row in rows
        if manifest.splits[row] == "distractor" or manifest.identities[row] in dataset.background
    }
    people = number_keys(keys[row] for row in rows if row not in nobody)
    numbers = {row: int(BACKGROUND) if row in nobody else people[keys[row]] for row in rows}
    return numbers, people


def _number_cameras(
    manifest: Manifest, rows: Sequence[int], *, wide: bool
) -> tuple[dict[int, int], dict[Key, int], tuple[str, ...]]:
    """Number the cameras of rows, and say what became of those that are not known."""
    named = {
        row: (manifest.domains[row], camera)
        for row in rows
        if (camera := manifest.cameras[row]) is not None
    }
    numbers = number_keys(named.values())
    last = max(numbers.values(), default=0)
    if last > _DIGIT and len(numbers) <= _DIGIT:
        numbers = {key: number for number, key in enumerate(numbers, start=1)}
    elif last > _DIGIT and not wide:
        raise DataError(
            f"{manifest.name} has {len(numbers)} cameras, and many tools read one digit of the "
            "name of a file for the camera. Write two digits with --wide, or use --layout csv."
        )
    cameras = {row: numbers[named[row]] if row in named else _UNKNOWN_CAMERA for row in rows}
    unknown = len(rows) - len(named)
    if not unknown:
        return cameras, numbers, ()
    whose = "no camera is known" if not named else f"{unknown:,} images have no known camera"
    note = (
        f"As {whose}, they are written as of camera {_UNKNOWN_CAMERA}. Tools that ignore gallery "
        "images of the query's identity and camera may find no match"
        + ("; --cameras-apart writes queries as of camera 1 and the gallery as of 2."
           if not named else ".")
    )  # fmt: skip
    return cameras, numbers, (note,)


def _left_behind(manifest: Manifest) -> tuple[str, ...]:
    """Say which columns the layout has no place for."""
    columns = ["views"] if any(manifest.views) else []
    columns += ["domains"] if len(set(manifest.domains)) > 1 else []
    columns += [f"attribute {name}" for name in manifest.attributes]
    if not columns:
        return ()
    return (f"The layout has no place for {listed(columns)}; --layout csv keeps them.",)
