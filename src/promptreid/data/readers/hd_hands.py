"""PolyU contactless hand dorsal images ("HD"; Kumar and Xu, 2016), protocol of MBA-Net.

`Original Images/1-501/` holds 502 subjects and `Original Images/502-712/` 213 more, flat, named
`<subject>_<number>.jpg`. Subjects up to 447 train, with one random image each for validation. In
each of ten repeats one random image of each test subject is the gallery, together with all images
of the 213 further subjects, whose numbers start anew and are raised by 1000.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field

from promptreid.data.dataset import DataSet
from promptreid.data.folders.layout import find_root, has_all
from promptreid.data.folders.listing import list_folder
from promptreid.data.folders.walk import Walk
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.protocol import Protocol
from promptreid.data.readers.reader_options import ReaderOptions
from promptreid.data.splits.draws import draw_galleries, hold_out_images
from promptreid.errors import DataError
from promptreid.text.lists import counted

SUBJECTS, DISTRACTORS = "1-501", "502-712"
DISTRACTOR_SHIFT = 1000

_NAME = re.compile(r"(\d+)_.*\.jpg", re.IGNORECASE)


class Options(ReaderOptions):
    """Options of `hd_hands`."""

    gallery: Literal["all", "same"] = Field(
        "all", description="with the distractor subjects, as published, or without"
    )
    threshold: int = Field(447, ge=0, description="subjects up to this number train")
    repeats: int = Field(10, ge=1, description="number of query/gallery draws")
    seed: int = Field(0, ge=0, description="seed of all draws")


def read(root: Path, options: Options) -> DataSet:
    """Read the HD hands from the folder "Original Images", or one around it.

    Raises:
        DataError: When the layout is not found, a file name cannot be read, or nobody is left to
            train or test on.
    """
    folders = (SUBJECTS, DISTRACTORS) if options.gallery == "all" else (SUBJECTS,)
    hint = "" if options.gallery == "same" else " (gallery=same needs only the first)"
    home, notes = find_root(
        root,
        has_all(*folders),
        wanted=f"the folders {' and '.join(folders)}{hint}",
        nested=("Original Images", "HD/Original Images"),
    )
    walk = Walk(home)
    samples = [sample for folder in folders for sample in _list(home, folder, options, walk)]
    manifest = hold_out_images(Manifest.of("hd_hands", home, samples), options.seed)
    numbers = [int(name) for name in manifest.identity_list("train", "val", "test")]
    for split, role in (("train", "train on"), ("test", "test on")):
        if split not in manifest.splits:
            raise DataError(
                f"No subject is left to {role}: they are numbered {min(numbers, default=0)} to "
                f"{max(numbers, default=0)} and those up to {options.threshold} train. The option "
                "threshold=N changes that."
            )
    repeats = draw_galleries(manifest, options.repeats, options.seed, "hd_hands", "gallery")
    if not repeats:
        raise DataError("No test subject has two images, so there is nothing to search for.")
    extra = len(manifest.identity_list("distractor"))
    protocol = Protocol(
        name="hd_hands/gallery_all" if options.gallery == "all" else "hd_hands/gallery",
        repeats=repeats,
        same_camera="keep",
        ap="step",
        note=f"{options.repeats} draws of one gallery image per test subject, with all images of "
        f"{extra} distractor subjects.",
    )
    if options.gallery == "same" and (home / DISTRACTORS).is_dir():
        images = counted(len(list_folder(home / DISTRACTORS).images), "image")
        notes += (
            f"{images} of further subjects in {DISTRACTORS}, left out; gallery=all adds them.",
        )
    return DataSet(f"hd_hands:{root}", manifest, protocol, (*notes, *walk.notes), lost=walk.lost)


def _list(home: Path, folder: str, options: Options, walk: Walk) -> Iterable[Sample]:
    for name in walk.enter(home / folder).images:
        match = _NAME.fullmatch(name)
        if match is None:
            raise DataError(f"{home / folder / name} is not named <subject>_<number>.jpg.")
        subject = int(match[1])
        if folder == DISTRACTORS:
            yield Sample(f"{folder}/{name}", str(subject + DISTRACTOR_SHIFT), "distractor")
        else:
            split = "train" if subject <= options.threshold else "test"
            yield Sample(f"{folder}/{name}", str(subject), split)
