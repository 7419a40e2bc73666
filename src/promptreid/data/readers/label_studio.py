"""JSON exports of Label Studio: rectangles on images or videos, and who each of them shows.

Sizes are percents of the picture there. A region's identity is what another control of the region
says: a choice or a text with the region's `id`. The option `identity` names the control where there
are several. A rectangle that moves through a video is an identity of its own, unless `identity` or
a control of that name says who it shows; frames are written as JPEG once, as by `video`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from promptreid.data.annotations.box_options import FrameOptions, PictureOptions
from promptreid.data.annotations.boxed_data import (
    WITHIN_VIDEO,
    find_picture_root,
    make_boxed_data,
)
from promptreid.data.annotations.json_annotations import numbers, read_json_file
from promptreid.data.annotations.label_studio_regions import (
    Region,
    find_identity_control,
    first_word,
    gather_regions,
)
from promptreid.data.annotations.marked_box import MarkedBox, sort_attributes
from promptreid.data.dataset import DataSet
from promptreid.data.videos.boxes_on_frames import keep_on_frames_of_videos
from promptreid.data.videos.decoded_frames import read_video_facts
from promptreid.data.videos.kept_frames import FrameFolder
from promptreid.data.videos.label_studio_tracks import mark_track
from promptreid.data.videos.video_folders import find_all_videos
from promptreid.errors import DataError, unknown_name
from promptreid.files import full_path
from promptreid.text.lists import counted, listed

_PROJECT = re.compile(r"^[0-9]+/")
_SIDES = ("x", "y", "width", "height")


class Options(PictureOptions, FrameOptions):
    """Options of `label_studio`."""


def read(file: Path, options: Options) -> DataSet:
    """Read the rectangles of an export in the format "JSON".

    Raises:
        DataError: When the file cannot be read, says nowhere who is shown, or names pictures or
            videos that are missing or cannot be decoded; or nothing is taken.
    """
    regions, others = gather_regions(file, read_json_file(file, wanted="an export of Label Studio"))
    notes: tuple[str, ...] = ()
    if others:
        kinds = listed([f"{count:,} {kind}" for kind, count in others.items()])
        notes += (f"Regions that are no rectangles are left out: {kinds}.",)
    tracked = sum(region.tracked for region in regions)
    if 0 < tracked < len(regions):
        raise DataError(
            f"{file} marks {tracked:,} rectangles on videos and {len(regions) - tracked:,} on "
            "images. Export the tasks of either kind into a file of their own, and read both."
        )
    read_boxes = _read_tracks if tracked else _read_rectangles
    key, root, marked, turned, said = read_boxes(file, regions, options)
    if turned:
        are = counted(turned, "rectangle is rotated", "rectangles are rotated")
        notes += (f"{are} and left out: images are cut out upright.",)
    if key:
        notes += (f"Identities are told by the control {key!r}.",)
    else:
        notes += ("Each rectangle that moves through a video is an identity.", WITHIN_VIDEO)
    return make_boxed_data(
        marked,
        root,
        options,
        name=file.stem,
        source=f"label_studio:{file}",
        notes=(*notes, *said),
    )


_Found = tuple[str, Path, list[MarkedBox], int, tuple[str, ...]]  # control, folder, boxes, rotated


def _read_rectangles(file: Path, regions: Sequence[Region], options: Options) -> _Found:
    """Read the rectangles on images."""
    upright = [region for region in regions if not _is_turned(region)]
    if not upright:
        raise DataError(f"{file} marks no upright rectangle.")
    key = find_identity_control(file, upright, options.identity)
    marked = [_mark(region, key) for region in upright]
    root, marked = _find_pictures(file, marked, options)
    return key, root, marked, len(regions) - len(upright), ()


def _read_tracks(file: Path, regions: Sequence[Region], options: Options) -> _Found:
    """Read the rectangles that move through videos, and write the frames they are on."""
    key = find_identity_control(file, regions, options.identity)
    root = full_path(options.images) if options.images else file.parent
    try:
        paths = find_all_videos(root)
    except DataError as error:
        raise DataError(f"{error} The option images=DIR names the folder of the videos.") from None
    by_video: dict[str, list[Region]] = {}
    for region in regions:
        video = paths.get(region.picture) or paths.get(region.picture.rpartition("/")[2])
        if video is None:
            raise DataError(
                f"{region.place}: {unknown_name('video', region.picture, paths)} The option "
                "images=DIR names the folder of the videos."
            )
        by_video.setdefault(video, []).append(region)
    marked: list[MarkedBox] = []
    turned = 0
    for video, inside in by_video.items():
        facts = read_video_facts(root / video)
        for region in inside:
            boxes, rotated = mark_track(region, key, video, facts)
            marked += boxes
            turned += rotated
    if not marked:
        raise DataError(f"{file} marks no upright rectangle.")
    frames = FrameFolder(root, options.cache)
    marked, said = keep_on_frames_of_videos(
        marked, frames, options, advice="Check that the videos are those that were labelled."
    )
    return key, frames.path, marked, turned, said


def _find_pictures(
    file: Path, marked: list[MarkedBox], options: Options
) -> tuple[Path, list[MarkedBox]]:
    """Find the folder of the pictures; the server's folder of the project may be missing there."""
    root = find_picture_root(file, options.images, marked[0].picture)
    bare = _PROJECT.sub("", marked[0].picture)
    if bare == marked[0].picture or (root / marked[0].picture).is_file():
        return root, marked
    below = find_picture_root(file, options.images, bare)
    if not (below / bare).is_file():
        return root, marked
    return below, [replace(one, picture=_PROJECT.sub("", one.picture)) for one in marked]


def _is_turned(region: Region) -> bool:
    rotation = region.rectangle["value"].get("rotation", 0)
    return isinstance(rotation, (int, float)) and rotation % 360 != 0


def _mark(region: Region, key: str) -> MarkedBox:
    result = region.rectangle
    value = result["value"]
    size = numbers(
        [result.get("original_width"), result.get("original_height")],
        2,
        place=f"{region.place}.original_width, original_height",
    )
    percents = numbers([value.get(side) for side in _SIDES], 4, place=f"{region.place}.value")
    left, top, width, height = (part * size[place % 2] / 100 for place, part in enumerate(percents))
    names, others = sort_attributes({k: v for k, v in region.said.items() if k != key})
    return MarkedBox(
        picture=region.picture,
        edges=(left, top, left + width, top + height),
        identity=region.said.get(key, ""),
        place=region.place,
        label=first_word(value, "rectanglelabels") or region.label,
        size=(int(size[0]), int(size[1])),
        camera=names.get("camera", ""),
        view=names.get("view", ""),
        domain=names.get("domain", ""),
        attributes=others,
    )
