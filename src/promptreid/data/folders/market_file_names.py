"""The layout of Market-1501, which many person and vehicle sets copy.

Three flat folders; identity and camera stand at the start of each file name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from promptreid.data.dataset import DataSet
from promptreid.data.folders.layout import find_root, has_all, note_empty_splits
from promptreid.data.folders.walk import Walk
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.protocol import fixed_protocol
from promptreid.data.readers.reader_options import CameraOptions
from promptreid.errors import DataError
from promptreid.text.lists import counted

FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
JUNK = "-1"
"""Identity of boxes that show nobody; published code leaves them out everywhere."""
BACKGROUND = "0"
"""Identity of gallery boxes on people who are not searched for."""

_NAME = re.compile(r"(-?[0-9]+)_c([0-9]+)(?:s[0-9]+)?[_.].*", re.IGNORECASE)


def parse_name(name: str, folder: Path) -> tuple[str, str]:
    """Read identity and camera, "2" and "1", from a file name such as `0002_c1s1_000451_03.jpg`.

    Both are numbers, so that zeros in front do not count: `c001` of VeRi is camera 1. Published
    sets count cameras from 1, others from 0.

    Args:
        name: File name without folder.
        folder: Where it lies, for the message.

    Raises:
        DataError: When the name does not start that way.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise DataError(
            f"{folder / name} does not start with identity and camera, as 0002_c1s1_000451_03.jpg "
            "does. Move files that do not belong to the data set out of this folder."
        )
    return str(int(match[1])), str(int(match[2]))


def list_samples(
    root: Path, folders: Mapping[str, str], walk: Walk
) -> tuple[list[Sample], tuple[str, ...]]:
    """List all images of a Market-like data set, junk left out, distractors (identity 0) kept.

    Args:
        root: The folder with the split folders.
        folders: Split to folder name.
        walk: Counts what is not taken.

    Returns:
        The images, and a note on junk and distractors when there are any.

    Raises:
        DataError: When a file name cannot be read.
    """
    samples = []
    junk = 0
    for split, folder in folders.items():
        for name in walk.enter(root / folder).images:
            identity, camera = parse_name(name, root / folder)
            if identity == JUNK:
                junk += 1
            else:
                samples.append(Sample(f"{folder}/{name}", identity, split, camera))
    distractors = sum(sample.identity == BACKGROUND for sample in samples)
    notes = []
    if junk:
        verb = "shows nobody (-1) is" if junk == 1 else "show nobody (-1) are"
        notes.append(f"{counted(junk, 'box', 'boxes')} that {verb} left out")
    if distractors:
        are = "is a distractor" if distractors == 1 else "are distractors"
        notes.append(f"{distractors:,} of identity 0000 {are}")
    return samples, (f"{'; '.join(notes)}.",) if notes else ()


def read_market_layout(
    root: Path, options: CameraOptions, *, name: str, nested: Sequence[str] = ()
) -> DataSet:
    """Read a data set in the layout of Market-1501.

    Args:
        root: Folder of the data set, or the folder above or below it.
        options: The camera rule.
        name: Name of the data set.
        nested: Where archives put the data below `root`.

    Returns:
        One repeat, query against gallery, AP by steps.

    Raises:
        DataError: When the folders are not there or hold no image, or a file name cannot be read.
    """
    wanted = f"the folders {', '.join(FOLDERS.values())}"
    home, notes = find_root(root, has_all(*FOLDERS.values()), wanted=wanted, nested=nested)
    walk = Walk(home)
    samples, boxes = list_samples(home, FOLDERS, walk)
    if not samples:
        raise DataError(f"{home} has {wanted}, but no image in them.")
    return make_market_data(
        home,
        samples,
        options,
        name=name,
        notes=(*notes, *boxes, *walk.notes, *note_empty_splits(samples, FOLDERS)),
        lost=walk.lost,
    )


def make_market_data(
    root: Path,
    samples: Sequence[Sample],
    options: CameraOptions,
    *,
    name: str,
    notes: tuple[str, ...],
    lost: tuple[str, ...] = (),
) -> DataSet:
    """Make a data set of images named as in Market-1501: one repeat, AP by steps.

    Args:
        root: Folder that their paths start from.
        samples: The images.
        options: The camera rule.
        name: Name of the data set.
        notes: What the reader has to say.
        lost: What should be there and is not.

    Raises:
        DataError: When there is no image, or training and test share an identity.
    """
    manifest = Manifest.of(name, root, samples)
    protocol = fixed_protocol(
        manifest,
        name=name,
        same_camera=options.same_camera,
        note="One query set against one gallery."
        + (" Same identity and camera ignored." if options.same_camera == "exclude" else ""),
    )
    # In a set that counts its identities from 0, somebody searches for 0 or learns it.
    searched = {manifest.identities[row] for row in manifest.indices("train", "query")}
    return DataSet(
        f"{name}:{root}",
        manifest,
        protocol,
        notes=notes,
        lost=lost,
        background=frozenset({BACKGROUND} - searched),
    )
