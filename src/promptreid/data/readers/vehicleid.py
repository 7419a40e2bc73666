"""PKU VehicleID (Liu et al., CVPR 2016).

`VehicleID_V1.0/image/0000001.jpg` and
`train_test_split/{train_list,test_list_800,test_list_1600,test_list_2400}.txt`, whose lines hold
image name and vehicle. In each of 10 trials one random image per test vehicle is the gallery and
all others are queries. There are no camera labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from promptreid.data.dataset import DataSet
from promptreid.data.folders.layout import describe_contents, find_root, has_all, text_lines
from promptreid.data.folders.listed_images import keep_existing, note_unlisted
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.protocol import Protocol
from promptreid.data.readers.reader_options import MissingOptions
from promptreid.data.splits.draws import draw_galleries
from promptreid.errors import DataError

_NUMBER = re.compile(r"[0-9]{1,18}")


class Options(MissingOptions):
    """Options of `vehicleid`."""

    size: Literal[800, 1600, 2400] = Field(800, description="number of test vehicles")
    repeats: int = Field(10, ge=1, description="number of trials")
    seed: int = Field(0, ge=0, description="seed of the trials")

    @field_validator("size", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        return int(value) if isinstance(value, str) and value.isdecimal() else value


def read(root: Path, options: Options) -> DataSet:
    """Read VehicleID from the folder with image and train_test_split, or one around it.

    Raises:
        DataError: When the layout is not found, a list line cannot be read, listed images are
            missing, or no test vehicle has two images.
    """
    home, notes = find_root(
        root,
        has_all("image", "train_test_split"),
        wanted="the folders image and train_test_split",
        nested=("VehicleID_V1.0",),
    )
    folder = home / "train_test_split"
    names = {"train": "train_list.txt", "test": f"test_list_{options.size}.txt"}
    for name in names.values():
        if not (folder / name).is_file():
            raise DataError(
                f"Looked in {folder} for {name}, but it holds {describe_contents(folder)}."
            )
    samples = [
        sample for split, name in names.items() for sample in _read_list(folder / name, split)
    ]
    lists = " and ".join(names.values())
    unlisted = note_unlisted((sample.path for sample in samples), home, listed_in=lists)
    samples, skipped = keep_existing(samples, home, missing=options.missing, listed_in=lists)
    manifest = Manifest.of("vehicleid", home, samples)
    tested = len(manifest.identity_list("test"))
    if tested != options.size:
        notes += (f"The test list has {tested:,} vehicles, not {options.size:,}.",)
    repeats = draw_galleries(manifest, options.repeats, options.seed, "vehicleid", options.size)
    if not repeats:
        raise DataError("No test vehicle has two images, so there is nothing to search for.")
    protocol = Protocol(
        name=f"vehicleid/{options.size}",
        repeats=repeats,
        same_camera="keep",
        ap="step",
        note=f"Mean of {options.repeats} trials, one random gallery image per vehicle.",
    )
    return DataSet(f"vehicleid:{root}", manifest, protocol, (*notes, *skipped, *unlisted))


def _read_list(file: Path, split: str) -> Iterable[Sample]:
    for line, words in text_lines(file):
        if len(words) != 2 or not _NUMBER.fullmatch(words[1]):
            raise DataError(
                f"{file}, line {line}: {' '.join(words)!r} is not an image name and a vehicle "
                "number, as in '0000001 41'."
            )
        name = words[0] if words[0].lower().endswith(".jpg") else f"{words[0]}.jpg"
        yield Sample(f"image/{name}", str(int(words[1])), split)
