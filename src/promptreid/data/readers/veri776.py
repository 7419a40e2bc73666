"""VeRi-776 (Liu et al., ICME 2016).

`VeRi/{image_train,image_query,image_test}/0001_c001_00016450_0.jpg`: vehicle 0001, camera 1.
Viewpoints (0 to 7) come with the keypoint labels of Wang et al. (ICCV 2017):
`keypoint_train.txt` and `keypoint_test.txt`, one image a line, the view in the last column.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field

from promptreid.data.dataset import DataSet
from promptreid.data.folders.layout import find_root, has_all, note_empty_splits, text_lines
from promptreid.data.folders.market_file_names import list_samples
from promptreid.data.folders.walk import Walk
from promptreid.data.manifest.manifest import Manifest
from promptreid.data.manifest.unknown_values import UnknownWords
from promptreid.data.protocol import fixed_protocol
from promptreid.data.readers.reader_options import CameraOptions
from promptreid.errors import DataError
from promptreid.text.lists import shorten_list

FOLDERS = {"train": "image_train", "query": "image_query", "gallery": "image_test"}
_VIEW = re.compile(r"[0-9]{1,9}")
KEYPOINTS = ("keypoint_train.txt", "keypoint_test.txt")


class Options(CameraOptions):
    """Options of `veri776`."""

    views: Literal["keep", "drop", "ignore"] = Field(
        "keep",
        description="images without a viewpoint label: keep them with an unknown view, drop them "
        "(as published CLIP-ReID and TransReID do), or ignore all viewpoint labels",
    )


def read(root: Path, options: Options) -> DataSet:
    """Read VeRi-776 from the folder with its image folders, or one around it.

    Raises:
        DataError: When the layout is not found, a name or a label line cannot be read, or
            `views=drop` is asked for without keypoint files.
    """
    home, notes = find_root(
        root,
        has_all(*FOLDERS.values()),
        wanted=f"the folders {', '.join(FOLDERS.values())}",
        nested=("VeRi",),
    )
    walk = Walk(home)
    samples, boxes = list_samples(home, FOLDERS, walk)
    notes += boxes
    if not samples:
        raise DataError(f"The folders {', '.join(FOLDERS.values())} of {home} hold no image.")
    labels = {} if options.views == "ignore" else _read_views(home)
    if labels:
        samples = [
            replace(sample, view=labels.get(PurePosixPath(sample.path).name)) for sample in samples
        ]
        blank = [sample.path for sample in samples if sample.view is None]
        if blank:
            fate = "left out" if options.views == "drop" else "kept with an unknown view"
            images = f"{len(blank):,} images have no viewpoint label and were {fate}"
            notes += (f"{images}: {shorten_list(blank)}.",)
        if options.views == "drop":
            samples = [sample for sample in samples if sample.view is not None]
    elif options.views == "drop":
        raise DataError(
            f"views=drop needs viewpoint labels, but {home} has no {' or '.join(KEYPOINTS)}."
        )
    manifest = Manifest.of("veri776", home, samples)
    protocol = fixed_protocol(
        manifest,
        name="veri776",
        same_camera=options.same_camera,
        note="One query set against one gallery.",
    )
    notes += (*walk.notes, *note_empty_splits(samples, FOLDERS))
    return DataSet(f"veri776:{root}", manifest, protocol, notes, lost=walk.lost)


def _read_views(home: Path) -> dict[str, str]:
    views: dict[str, str] = {}
    for file in (home / name for name in KEYPOINTS):
        for line, words in text_lines(file) if file.is_file() else []:
            if len(words) > 1 and UnknownWords().means_unknown(words[-1], "view"):
                continue
            if len(words) < 2 or not _VIEW.fullmatch(words[-1]):
                raise DataError(
                    f"{file}, line {line}: the last column must be the viewpoint, a whole number "
                    f"from 0, but it is {words[-1]!r}."
                )
            views[PurePosixPath(words[0]).name] = str(int(words[-1]))
    return views
