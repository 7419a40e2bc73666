"""Data sets in Datumaro's own format: `annotations/SUBSET.json` and `images/SUBSET/`.

Named is the folder, or one of its files. Boxes are cut out; who is shown is what the attribute
`identity` says, or the one that the option names, or the track (`track_id`) in its subset.
Attributes called `camera`, `view` and `domain` are what they say. Subsets that are named by roles
(train, val, test) are these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptreid.data.annotations.boxed_data import WITHIN_VIDEO, make_boxed_data
from promptreid.data.annotations.json_annotations import (
    entries,
    numbers,
    read_json_file,
    text,
    whole,
)
from promptreid.data.annotations.marked_box import MarkedBox, plain_path, sort_attributes
from promptreid.data.annotations.subset_roles import SubsetOptions, find_subset_roles
from promptreid.data.dataset import DataSet
from promptreid.data.folders.layout import describe_contents
from promptreid.errors import DataError, unknown_name
from promptreid.files import full_path
from promptreid.text.lists import counted, listed

_FILES, _IMAGES = "annotations", "images"
_TRACK, _IDENTITY = "track_id", "identity"
_NO_NAMES = (_TRACK, "occluded", "keyframe", "outside", "rotation")  # that CVAT writes
_Entry = Mapping[str, Any]


class Options(SubsetOptions):
    """Options of `datumaro`."""


@dataclass(frozen=True)
class _Subset:
    """What a file holds: its place on the disk, names of labels, and items."""

    file: Path
    labels: list[str]
    items: list[_Entry]

    @property
    def name(self) -> str:
        return self.file.stem


@dataclass
class _Boxes:
    """Boxes, each with the subset, the item and the place that it is of, and what is left out."""

    upright: list[tuple[_Subset, _Entry, _Entry, str]] = field(default_factory=list)
    turned: int = 0
    others: Counter[str] = field(default_factory=Counter)


def read(root: Path, options: Options) -> DataSet:
    """Read the boxes of a data set, or of one of its subsets.

    Raises:
        DataError: When there is no such file, one cannot be read, nothing says who is shown, or
            pictures are missing; or nothing is taken.
    """
    subsets = [_read_subset(file) for file in _find_files(root)]
    boxes = _Boxes()
    for subset in subsets:
        _add_boxes(boxes, subset)
    kinds = listed([f"{count:,} {kind}" for kind, count in boxes.others.items()])
    if not boxes.upright:
        raise DataError(f"{root} marks no upright box" + (f", only {kinds}." if kinds else "."))
    notes = (f"Annotations that are no boxes are left out: {kinds}.",) if kinds else ()
    if boxes.turned:
        are = counted(boxes.turned, "box is rotated and", "boxes are rotated and")
        notes += (f"{are} left out: images are cut out upright.",)
    key = _find_identity(root, boxes, options.identity)
    roles, role_notes = find_subset_roles((subset.name for subset, *_ in boxes.upright), options)
    pictures = _find_images(root, options)
    marked = [_mark(*box, key, pictures, roles) for box in boxes.upright]
    notes += role_notes
    if key:
        notes += (f"Identities are told by the attribute {key!r}.",)
    else:
        notes += ("Each track of a subset is an identity.", WITHIN_VIDEO)
    return make_boxed_data(
        marked,
        pictures,
        options,
        name=root.stem if root.is_file() else root.name or "datumaro",
        source=f"datumaro:{root}",
        notes=notes,
    )


def _find_files(root: Path) -> list[Path]:
    if not root.is_dir():
        return [root]
    files = sorted((root / _FILES).glob("*.json"))
    if not files:
        raise DataError(
            f"{root} is a folder without {_FILES}/*.json, where Datumaro writes what it knows; it "
            f"holds {describe_contents(root)}. Name the folder that was exported, or one file."
        )
    return files


def _read_subset(file: Path) -> _Subset:
    tree = read_json_file(file, wanted="a file of Datumaro")
    if not isinstance(tree, dict) or not {"categories", "items"} <= set(tree):
        raise DataError(
            f"{file} is no file of Datumaro, which is an object with categories and items."
        )
    categories = tree["categories"]
    label = categories.get("label") if isinstance(categories, dict) else None
    names = label.get("labels") if isinstance(label, dict) else None
    return _Subset(
        file,
        [text(one.get("name")) for one in entries(names, place=f"{file}, categories.label.labels")],
        entries(tree["items"], place=f"{file}, items"),
    )


def _add_boxes(boxes: _Boxes, subset: _Subset) -> None:
    for number, item in enumerate(subset.items):
        place = f"{subset.file}, items[{number}].annotations"
        for at, annotation in enumerate(entries(item.get("annotations"), place=place)):
            rotation = _attributes(annotation).get("rotation", 0)
            if text(annotation.get("type")) != "bbox":
                boxes.others[text(annotation.get("type")) or "annotation"] += 1
            elif isinstance(rotation, (int, float)) and rotation % 360 != 0:
                boxes.turned += 1
            else:
                boxes.upright.append((subset, item, annotation, f"{place}[{at}]"))


def _attributes(annotation: _Entry) -> _Entry:
    attributes = annotation.get("attributes")
    return attributes if isinstance(attributes, dict) else {}


def _find_identity(root: Path, boxes: _Boxes, wanted: str) -> str:
    """Return the attribute that says who is shown; empty where tracks do."""
    all_attributes = [_attributes(annotation) for _, _, annotation, _ in boxes.upright]
    there = dict.fromkeys(key for attributes in all_attributes for key in attributes)
    if wanted and wanted not in there:
        raise DataError(f"{root}: {unknown_name('attribute', wanted, there)}")
    key = wanted or (_IDENTITY if _IDENTITY in there else "")
    if not key and not any(_TRACK in attributes for attributes in all_attributes):
        names = listed([name for name in there if name not in _NO_NAMES])
        raise DataError(
            f"No box of {root} says who is shown: there is no {_IDENTITY} and no {_TRACK}. Name "
            f"the attribute that does with identity=NAME; there are {names or 'none'}."
        )
    return key


def _find_images(root: Path, options: Options) -> Path:
    if options.images:
        return full_path(options.images)
    folder = root if root.is_dir() else root.parent.parent
    return folder / _IMAGES if (folder / _IMAGES).is_dir() else folder


def _mark(
    subset: _Subset,
    item: _Entry,
    annotation: _Entry,
    place: str,
    key: str,
    pictures: Path,
    roles: Mapping[str, str],
) -> MarkedBox:
    left, top, width, height = numbers(annotation.get("bbox"), 4, place=f"{place}.bbox")
    attributes = {name: text(value) for name, value in _attributes(annotation).items()}
    track = attributes.get(_TRACK, "")
    identity = attributes.pop(key, "") if key else f"{subset.name}_{track}" if track else ""
    names, others = sort_attributes(attributes)
    number, frame = whole(annotation.get("label_id")), item.get("attr")
    image = item.get("image")
    size = image.get("size") if isinstance(image, dict) else None
    rows, columns = map(whole, size) if isinstance(size, list) and len(size) == 2 else (None, None)
    has_label = number is not None and 0 <= number < len(subset.labels)
    return MarkedBox(
        picture=_name_picture(subset, item, image, pictures),
        edges=(left, top, left + width, top + height),
        identity=identity,
        place=place,
        label=subset.labels[number] if has_label else "",
        sequence=subset.name if track else "",
        frame=whole(frame.get("frame")) if isinstance(frame, dict) else None,
        size=(columns, rows) if rows and columns else None,
        split=roles.get(subset.name, ""),
        camera=names.get("camera", ""),
        view=names.get("view", ""),
        domain=names.get("domain", ""),
        attributes=others | {"subset": subset.name},
    )


def _name_picture(subset: _Subset, item: _Entry, image: Any, pictures: Path) -> str:
    """Return the path of a picture: in the folder of its subset, as Datumaro writes, or beside."""
    media = image or item.get("media")
    path = plain_path(text(media.get("path")) if isinstance(media, dict) else "")
    path = path.rpartition(f"/{_IMAGES}/{subset.name}/")[2]  # some versions write the whole path
    if not path:  # as Datumaro itself does
        path = plain_path(f"{text(item.get('id'))}.jpg")
    below = f"{subset.name}/{path}"
    return below if (pictures / below).is_file() or not (pictures / path).is_file() else path
