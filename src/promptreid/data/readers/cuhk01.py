"""CUHK01 (Li et al., ACCV 2012).

`campus/0001001.png`: person 0001, image 001. Images 1 and 2 are camera A, 3 and 4 camera B. The
published protocol cuts the 971 people at random into 485 for training and 486 for testing, ten
times; one image of camera B per person is the gallery, the images of camera A are the queries.
One data set holds one cut (`split=0` to `9`) with several draws of its gallery.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from pydantic import Field

from promptreid.data.dataset import DataSet
from promptreid.data.folders.layout import find_root
from promptreid.data.folders.listing import list_folder
from promptreid.data.folders.walk import Walk
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.manifest.name_order import sort_names
from promptreid.data.protocol import Protocol, Repeat
from promptreid.data.readers.reader_options import ReaderOptions
from promptreid.data.splits.draws import draw_gallery, generator, pick
from promptreid.errors import DataError

CAMERA_A, CAMERA_B = "A", "B"

_NAME = re.compile(r"(\d{4})(\d{3})\.(?:png|jpg|bmp)", re.IGNORECASE)


class Options(ReaderOptions):
    """Options of `cuhk01`."""

    train: int = Field(485, ge=1, description="number of people to train on")
    split: int = Field(0, ge=0, description="which of the random cuts of the people")
    repeats: int = Field(10, ge=1, description="number of gallery draws")
    shots: int = Field(1, ge=1, le=2, description="gallery images per person")
    seed: int = Field(0, ge=0, description="seed of cuts and draws")


def read(root: Path, options: Options) -> DataSet:
    """Read CUHK01 from the folder with its images (campus), or the one above.

    Raises:
        DataError: When the layout is not found, a file name cannot be read, or nobody is left to
            test on.
    """

    def fits(folder: Path) -> bool:
        return any(_NAME.fullmatch(name) for name in list_folder(folder).images)

    nested = ("campus", "CUHK01/campus", "CUHK01")
    home, notes = find_root(root, fits, wanted="images such as 0001001.png", nested=nested)
    walk = Walk(home)
    images = [(name, *_parse(name, home)) for name in walk.enter(home).images]
    people = sort_names(identity for _, identity, _ in images)
    if options.train >= len(people):
        raise DataError(
            f"train={options.train} of {len(people)} people leaves nobody to test on; choose fewer."
        )
    rng = generator(options.seed, "cuhk01", "people", options.split)
    trained = set(pick(people, options.train, rng))
    samples = [
        Sample(name, identity, "train" if identity in trained else "test", camera)
        for name, identity, camera in images
    ]
    manifest = Manifest.of("cuhk01", home, samples)
    protocol = Protocol(
        name=f"cuhk01/split{options.split}",
        repeats=tuple(_repeat(manifest, options, number) for number in range(options.repeats)),
        same_camera="exclude",
        ap="step",
        note=f"Cut {options.split}, mean of {options.repeats} draws of {options.shots} gallery "
        "image(s) per person from camera B; all images of camera A are queries.",
    )
    return DataSet(f"cuhk01:{root}", manifest, protocol, (*notes, *walk.notes), lost=walk.lost)


def _repeat(manifest: Manifest, options: Options, number: int) -> Repeat:
    test = manifest.indices("test")
    cameras = np.array([manifest.cameras[row] for row in test])
    rng = generator(options.seed, "cuhk01", "gallery", options.split, number)
    shown = test[cameras == CAMERA_B]
    _, gallery = draw_gallery(manifest, shown, per_identity=options.shots, rng=rng)
    return Repeat(test[cameras == CAMERA_A], np.array(gallery))


def _parse(name: str, folder: Path) -> tuple[str, str]:
    """Read person and camera from a file name."""
    match = _NAME.fullmatch(name)
    if match is None or not 1 <= int(match[2]) <= 4:
        raise DataError(
            f"{folder / name} is not named by person (4 digits) and image (001 to 004), as in "
            "0001001.png."
        )
    return str(int(match[1])), CAMERA_A if int(match[2]) <= 2 else CAMERA_B
