"""CUHK03 (Li et al., CVPR 2014) by the new protocol (Zhong et al., CVPR 2017).

767 people train, 700 test; one query per person and camera. The images are either

* `images_labeled/` or `images_detected/` with `1_001_1_01.png`: camera pair, person of that pair,
  view (camera) and image number, or
* inside `cuhk-03.mat`, from where they are extracted once under those names, or
* `labeled/` or `detected/` in the layout of Market-1501 ("CUHK03-NP"), which needs no split file.

The split is `cuhk03_new_protocol_config_{kind}.mat`, or `splits_new_{kind}.json` (lists of
[path, identity, camera] under train, query, gallery), or `splits_new_{kind}.csv` (name, split).
A person's identity here is the number written as pair and person: 1_001 is 1001. Cameras are "1"
and "2", the two views of a pair.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from promptreid.data.dataset import DataSet
from promptreid.data.folders.layout import describe_contents, find_root, has_all
from promptreid.data.folders.listed_images import keep_existing, note_unlisted
from promptreid.data.folders.market_file_names import FOLDERS, read_market_layout
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.protocol import fixed_protocol
from promptreid.data.readers.cuhk03_files import (
    extract_images,
    find_archive,
    find_split,
    read_split,
)
from promptreid.data.readers.reader_options import CameraOptions, MissingOptions
from promptreid.errors import DataError
from promptreid.files import full_path

_NAME = re.compile(r"([1-5])_(\d{3})_([12])_(\d{2})\.png")


class Options(CameraOptions, MissingOptions):
    """Options of `cuhk03`."""

    kind: Literal["labeled", "detected"] = Field(
        "labeled", description="boxes drawn by hand, or found by a detector"
    )
    cache: Path | None = Field(
        None, description="folder to extract the images of cuhk-03.mat into; the root by default"
    )


def read(root: Path, options: Options) -> DataSet:
    """Read CUHK03 from the folder with the images or the .mat file, or one around it.

    The images of `cuhk-03.mat` are extracted the first time.

    Raises:
        DataError: When the layout is not found, a file cannot be read, an optional package is
            missing, or listed images do not exist.
    """
    kind = options.kind
    folder = f"images_{kind}"

    def fits(home: Path) -> bool:
        return (
            (home / folder).is_dir()
            or find_archive(home) is not None
            or has_all(*FOLDERS.values())(home / kind)
        )

    wanted = f"the folder {folder}, the file cuhk-03.mat, or {kind}/{FOLDERS['train']}"
    home, notes = find_root(root, fits, wanted=wanted, nested=("cuhk03", "CUHK03", "cuhk03-np"))
    if not (home / folder).is_dir() and has_all(*FOLDERS.values())(home / kind):
        data = read_market_layout(home / kind, options, name="cuhk03")
        return replace(data, spec=f"cuhk03:{root}", notes=(*notes, *data.notes))
    cached = (full_path(options.cache) if options.cache else home) / folder
    images = home / folder if (home / folder).is_dir() else cached
    split_file = find_split(home, kind)
    if split_file is None:
        raise DataError(
            f"Looked in {home} for the split cuhk03_new_protocol_config_{kind}.mat, "
            f"splits_new_{kind}.json or splits_new_{kind}.csv, but it holds "
            f"{describe_contents(home)}."
        )
    roles = read_split(split_file)
    if not images.is_dir():
        archive = find_archive(home)
        if archive is None:
            raise DataError(f"{home} has neither {folder} nor cuhk-03.mat.")
        count = extract_images(archive, kind, images)
        notes += (f"Extracted {count:,} images from {archive} into {images}.",)
    samples = [_sample(folder, name, split, split_file) for name, split in roles]
    unlisted = note_unlisted(
        (sample.path for sample in samples), images.parent, listed_in=split_file.name
    )
    samples, skipped = keep_existing(
        samples, images.parent, missing=options.missing, listed_in=split_file.name
    )
    manifest = Manifest.of("cuhk03", images.parent, samples)
    protocol = fixed_protocol(
        manifest,
        name=f"cuhk03/{kind}",
        same_camera=options.same_camera,
        note=f"New protocol, {kind} boxes, one query per person and camera.",
    )
    return DataSet(f"cuhk03:{root}", manifest, protocol, (*notes, *skipped, *unlisted))


def _sample(folder: str, name: str, split: str, source: Path) -> Sample:
    match = _NAME.fullmatch(name)
    if match is None:
        raise DataError(
            f"{source} lists {name!r}; image names must be camera pair, person, view and number, "
            "as in 1_001_1_01.png."
        )
    return Sample(f"{folder}/{name}", str(int(match[1] + match[2])), split, camera=match[3])
