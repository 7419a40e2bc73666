"""JSON exports of Label Studio: rectangles on images, and who each of them shows.

Sizes are percents of the picture there. A region's identity is what another control of the region
says: a choice or a text with the region's `id`. The option `identity` names the control where there
are several. Videos are exported without their frames, so that `cvat` or `mot` reads them better.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from promptreid.data.annotations.box_options import PictureOptions
from promptreid.data.annotations.boxed_data import find_picture_root, make_boxed_data
from promptreid.data.annotations.json_annotations import entries, numbers, read_json_file, text
from promptreid.data.annotations.marked_box import MarkedBox, plain_path, sort_attributes
from promptreid.data.dataset import DataSet
from promptreid.data.images.image_formats import SUFFIXES
from promptreid.errors import DataError, unknown_name
from promptreid.text.lists import counted, listed

_PROJECT = re.compile(r"^[0-9]+/")
_SIDES = ("x", "y", "width", "height")
_Entry = Mapping[str, Any]


class Options(PictureOptions):
    """Options of `label_studio`."""


@dataclass
class _Region:
    """One region of a picture: its rectangle, and what other controls say of it."""

    place: str
    picture: str
    rectangle: _Entry | None = None
    label: str = ""
    said: dict[str, str] = field(default_factory=dict)


def read(file: Path, options: Options) -> DataSet:
    """Read the rectangles of an export in the format "JSON".

    Raises:
        DataError: When the file cannot be read, says nowhere who is shown, or names pictures that
            are missing; or nothing is taken.
    """
    tree = read_json_file(file, wanted="an export of Label Studio")
    if not isinstance(tree, list):
        raise DataError(f"{file} is no export of Label Studio, which is a list of tasks.")
    regions, others = _gather(file, tree)
    turned = [one for one in regions if _turned(one)]
    boxes = [one for one in regions if one not in turned] if turned else regions
    notes: tuple[str, ...] = ()
    if others:
        kinds = listed([f"{count:,} {kind}" for kind, count in others.items()])
        notes += (f"Regions that are no rectangles are left out: {kinds}.",)
    if turned:
        are = counted(len(turned), "rectangle is rotated", "rectangles are rotated")
        notes += (f"{are} and left out: images are cut out upright.",)
    if not boxes:
        raise DataError(f"{file} marks no upright rectangle.")
    key = _find_identity(file, boxes, options.identity)
    marked = [_mark(region, key) for region in boxes]
    root, marked = _find_pictures(file, marked, options)
    notes += (f"Identities are told by the control {key!r}.",)
    return make_boxed_data(
        marked, root, options, name=file.stem, source=f"label_studio:{file}", notes=notes
    )


def _gather(file: Path, tasks: Any) -> tuple[list[_Region], Counter[str]]:
    """Put what controls say of a region together."""
    regions: list[_Region] = []
    others: Counter[str] = Counter()
    for number, task in enumerate(entries(tasks, place=f"{file}, tasks")):
        place = f"{file}, tasks[{number}]"
        kept = [
            annotation
            for annotation in entries(task.get("annotations"), place=f"{place}.annotations")
            if not annotation.get("was_cancelled")
        ]
        if not kept:
            continue
        found: dict[str, _Region] = {}
        for at, result in enumerate(entries(kept[-1].get("result"), place=f"{place}.result")):
            kind, value = text(result.get("type")), result.get("value")
            if kind == "relation":  # of two regions; it has no value
                continue
            region = found.setdefault(
                text(result.get("id")), _Region(f"{place}.result[{at}]", _picture(task, place))
            )
            if not isinstance(value, dict):
                raise DataError(f"{place}.result[{at}].value is no object.")
            if kind in ("rectanglelabels", "rectangle"):
                region.rectangle = result
                region.place = f"{place}.result[{at}]"
            elif kind == "labels":
                region.label = _first_word(value, kind)
            elif kind in ("choices", "textarea", "number", "taxonomy"):
                region.said[text(result.get("from_name"))] = _first_word(value, kind)
            else:
                others[kind or "region"] += 1
        regions += [region for region in found.values() if region.rectangle is not None]
    return regions, others


def _first_word(value: _Entry, kind: str) -> str:
    words = value.get("text" if kind == "textarea" else kind)
    while isinstance(words, list):
        words = words[0] if words else None
    return text(words)


def _picture(task: _Entry, place: str) -> str:
    """Return the path of the picture of a task, without what a server puts before it."""
    data = task.get("data")
    values = data.values() if isinstance(data, dict) else ()
    paths = [_read_address(value) for value in values if isinstance(value, str) and "." in value]
    named = (path for path in paths if PurePath(path).suffix.lower() in SUFFIXES)
    path = next(named, paths[0] if paths else "")
    if not path:
        raise DataError(f"{place}.data names no picture.")
    return path.removeprefix("data/upload/")


def _read_address(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:  # a sentence that only looks like an address
        return ""
    local = parse_qs(parts.query).get("d", [""])[0]
    return plain_path(local or unquote(parts.path)).lstrip("/")


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


def _turned(region: _Region) -> bool:
    rotation = (region.rectangle or {})["value"].get("rotation", 0)
    return isinstance(rotation, (int, float)) and rotation % 360 != 0


def _find_identity(file: Path, regions: list[_Region], wanted: str) -> str:
    """Return the control that says who is shown."""
    there = dict.fromkeys(name for region in regions for name in region.said)
    if wanted and wanted not in there:
        raise DataError(f"{file}: {unknown_name('control', wanted, there)}")
    usual = [name for name in there if name.lower() == "identity"] or list(there)
    if not wanted and len(usual) != 1:
        raise DataError(
            f"{file} does not say which control names who is shown; there are "
            f"{listed(list(there)) or 'none'}. Name it with identity=NAME. In Label Studio, give "
            'the labelling a <TextArea name="identity" perRegion="true"> or <Choices …>.'
        )
    return wanted or usual[0]


def _mark(region: _Region, key: str) -> MarkedBox:
    result = region.rectangle or {}
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
        label=_first_word(value, "rectanglelabels") or region.label,
        size=(int(size[0]), int(size[1])),
        camera=names.get("camera", ""),
        view=names.get("view", ""),
        domain=names.get("domain", ""),
        attributes=others,
    )
