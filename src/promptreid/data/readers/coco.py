"""COCO files with identities: `{"images": […], "annotations": […]}`.

An annotation says who is shown in `track_id` or `instance_id`, or in what the option `identity`
names; it is looked for in the annotation and in its `attributes`, where CVAT writes it. A track is
of one video, so that its identity is video and track; what `identity` names is a name everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from promptreid.data.annotations.box_options import PictureOptions
from promptreid.data.annotations.boxed_data import (
    WITHIN_VIDEO,
    find_picture_root,
    make_boxed_data,
)
from promptreid.data.annotations.json_annotations import (
    entries,
    numbers,
    read_id,
    read_json_file,
    text,
    whole,
)
from promptreid.data.annotations.marked_box import MarkedBox, plain_path, sort_attributes
from promptreid.data.dataset import DataSet
from promptreid.errors import DataError, unknown_name
from promptreid.text.lists import counted, listed

_TRACKS = ("track_id", "instance_id")
_FRAMES = ("frame_id", "frame_index")
_NO_VALUES = ("segmentation", "keypoints", "bbox", "attributes", "rle")
_Entry = Mapping[str, Any]


class Options(PictureOptions):
    """Options of `coco`."""

    camera: str = Field(
        "",
        description="what the file calls the value that names the camera, in annotations, images "
        "or videos, such as video_id",
    )


@dataclass(frozen=True)
class _Coco:
    """What a file holds, by number."""

    file: Path
    images: Mapping[Any, _Entry]
    videos: Mapping[Any, _Entry]
    labels: Mapping[Any, str]
    annotations: list[_Entry]

    def place(self, number: int, key: str = "") -> str:
        return f"{self.file}, annotations[{number}]" + (f".{key}" if key else "")


def read(file: Path, options: Options) -> DataSet:
    """Read the boxes of a COCO file.

    Raises:
        DataError: When the file cannot be read, says nowhere who is shown, or names pictures that
            are missing; or nothing is taken.
    """
    coco = _open(file)
    key = options.identity or _find_track_key(coco)
    boxes, crowds = [], 0
    for number, annotation in enumerate(coco.annotations):
        if annotation.get("iscrowd"):
            crowds += 1
        else:
            boxes.append(_mark(coco, number, key, options))
    notes = (f"{counted(crowds, 'crowd')} without an identity left out.",) if crowds else ()
    if not boxes:
        raise DataError(f"{file} has no annotation of one thing alone.")
    if options.identity and not any(marked.identity for marked in boxes):
        raise DataError(
            f"{file}: {unknown_name('value of an annotation', options.identity, _keys(coco))}"
        )
    if not options.identity:
        notes += (f"Identities are told by {key}.", WITHIN_VIDEO)
    root = find_picture_root(file, options.images, boxes[0].picture)
    return make_boxed_data(boxes, root, options, name=file.stem, source=f"coco:{file}", notes=notes)


def _open(file: Path) -> _Coco:
    tree = read_json_file(file, wanted="a COCO file")
    if not isinstance(tree, dict) or not {"images", "annotations"} <= set(tree):
        raise DataError(f"{file} is no COCO file, which is an object with images and annotations.")
    lists = {
        key: entries(tree.get(key), place=f"{file}, {key}")
        for key in ("images", "annotations", "videos", "categories")
    }
    return _Coco(
        file=file,
        images={read_id(entry.get("id")): entry for entry in lists["images"]},
        videos={read_id(entry.get("id")): entry for entry in lists["videos"]},
        labels={read_id(entry.get("id")): text(entry.get("name")) for entry in lists["categories"]},
        annotations=lists["annotations"],
    )


def _find_track_key(coco: _Coco) -> str:
    """Return which of the usual keys says who is shown."""
    for key in _TRACKS:
        if any(text(_value(annotation, key)) for annotation in coco.annotations):
            return key
    keys = _keys(coco)
    raise DataError(
        f"No annotation of {coco.file} says who is shown: there is no {listed(_TRACKS, 'or')}. "
        f"Name the value that does with identity=KEY; there are {listed(keys) or 'none'}. Without "
        "identities, pictures are read as images:FOLDER."
    )


def _keys(coco: _Coco) -> list[str]:
    """Name the values that annotations have and that may be names, in order."""
    keys: dict[str, None] = {}
    for annotation in coco.annotations:
        keys |= dict.fromkeys(annotation) | dict.fromkeys(_attributes(annotation))
    return [key for key in keys if key not in _NO_VALUES]


def _attributes(annotation: _Entry) -> _Entry:
    attributes = annotation.get("attributes")
    return attributes if isinstance(attributes, dict) else {}


def _value(annotation: _Entry, key: str) -> Any:
    value = annotation.get(key)
    return _attributes(annotation).get(key) if value is None else value


def _mark(coco: _Coco, number: int, key: str, options: Options) -> MarkedBox:
    annotation = coco.annotations[number]
    image = coco.images.get(read_id(annotation.get("image_id")))
    if image is None or not text(image.get("file_name")):
        raise DataError(
            f"{coco.place(number, 'image_id')} is {annotation.get('image_id')!r}, which is the id "
            "of no image with a file_name."
        )
    left, top, width, height = numbers(annotation.get("bbox"), 4, place=coco.place(number, "bbox"))
    video = coco.videos.get(read_id(image.get("video_id")), {})
    sequence = text(video.get("name") or video.get("file_name") or image.get("video_id"))
    identity = text(_value(annotation, key))
    if key in _TRACKS and sequence and identity:
        identity = f"{sequence}_{identity}"
    size = whole(image.get("width")), whole(image.get("height"))
    places = (annotation, _attributes(annotation), image, video)
    names, others = sort_attributes(
        {name: text(value) for name, value in _attributes(annotation).items() if name != key}
    )
    if options.camera:
        values = (place.get(options.camera) for place in places)
        names["camera"] = next((text(value) for value in values if value is not None), "")
    return MarkedBox(
        picture=plain_path(text(image["file_name"])),
        edges=(left, top, left + width, top + height),
        identity=identity,
        place=coco.place(number),
        label=coco.labels.get(read_id(annotation.get("category_id")), ""),
        sequence=sequence,
        frame=next((one for name in _FRAMES if (one := whole(image.get(name))) is not None), None),
        size=size if all(size) else None,  # ty: ignore[invalid-argument-type]
        attributes=others,
        camera=names.get("camera", ""),
        view=names.get("view", ""),
        domain=names.get("domain", ""),
    )
