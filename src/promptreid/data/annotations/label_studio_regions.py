"""Regions of a JSON export of Label Studio: what was drawn, and what other controls say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from promptreid.data.annotations.json_annotations import entries, text
from promptreid.data.annotations.marked_box import plain_path
from promptreid.data.images.image_formats import SUFFIXES as PICTURES
from promptreid.data.videos.decoded_frames import SUFFIXES as VIDEOS
from promptreid.errors import DataError, unknown_name
from promptreid.text.lists import listed

TRACK = "videorectangle"
"""What the file calls a rectangle that moves through a video."""
_RECTANGLES = ("rectanglelabels", "rectangle", TRACK)
_WORDS = ("choices", "textarea", "number", "taxonomy")
_ENDINGS = {*PICTURES, *VIDEOS}
_Entry = Mapping[str, Any]


@dataclass
class Region:
    """One region of a picture or of a video.

    Attributes:
        place: Where the file says so, for messages.
        name: What the file calls the region.
        picture: Path of the picture or of the video, without what a server puts before it.
        rectangle: What was drawn; empty where it is no rectangle.
        label: The class of what is shown, where a control of its own says so.
        said: What other controls say of the region, by their names.
    """

    place: str
    name: str
    picture: str
    rectangle: _Entry = field(default_factory=dict)
    label: str = ""
    said: dict[str, str] = field(default_factory=dict)

    @property
    def tracked(self) -> bool:
        """Whether it moves through a video."""
        return text(self.rectangle.get("type")) == TRACK


def gather_regions(file: Path, tasks: Any) -> tuple[list[Region], Counter[str]]:
    """Put together what controls say of a region.

    Args:
        file: The export, for messages.
        tasks: What it holds.

    Returns:
        The regions that are rectangles, and the kinds of all others with their numbers.

    Raises:
        DataError: The file is no export of Label Studio, or a part of it is damaged.
    """
    if not isinstance(tasks, list):
        raise DataError(f"{file} is no export of Label Studio, which is a list of tasks.")
    all_tasks = entries(tasks, place=f"{file}, tasks")
    if all_tasks and not any("annotations" in task for task in all_tasks):
        raise DataError(
            f"{file}: no task has annotations, as in the format JSON-MIN. Export the project in "
            "the format JSON."
        )
    regions: list[Region] = []
    others: Counter[str] = Counter()
    for number, task in enumerate(all_tasks):
        place = f"{file}, tasks[{number}]"
        kept = [
            annotation
            for annotation in entries(task.get("annotations"), place=f"{place}.annotations")
            if not annotation.get("was_cancelled")
        ]
        results = entries(kept[-1].get("result"), place=f"{place}.result") if kept else []
        if not results:
            continue
        by_name: dict[str, Region] = {}
        picture = _find_picture(task, place)
        for at, result in enumerate(results):
            kind, value = text(result.get("type")), result.get("value")
            if kind == "relation":  # of two regions; it has no value
                continue
            name, here = text(result.get("id")), f"{place}.result[{at}]"
            region = by_name.setdefault(name, Region(here, name, picture))
            if not isinstance(value, dict):
                raise DataError(f"{here}.value is no object.")
            if kind in _RECTANGLES:
                region.rectangle, region.place = result, here
            elif kind == "labels":
                region.label = first_word(value, kind)
            elif kind in _WORDS:
                region.said[text(result.get("from_name"))] = first_word(value, kind)
            else:
                others[kind or "region"] += 1
        regions += [region for region in by_name.values() if region.rectangle]
    return regions, others


def find_identity_control(file: Path, regions: Sequence[Region], wanted: str) -> str:
    """Return the control that says who is shown; empty where each region of videos is a track.

    Raises:
        DataError: The wanted control says nothing, or pictures have none or several.
    """
    there = dict.fromkeys(name for region in regions for name in region.said)
    if wanted and wanted not in there:
        raise DataError(f"{file}: {unknown_name('control', wanted, there)}")
    called = [name for name in there if name.lower() == "identity"]
    usual = called or ([] if regions[0].tracked else list(there))
    if not wanted and len(usual) != 1 and not regions[0].tracked:
        raise DataError(
            f"{file} does not say which control names who is shown; there are "
            f"{listed(list(there)) or 'none'}. Name it with identity=NAME. In Label Studio, give "
            'the labelling a <TextArea name="identity" perRegion="true"> or <Choices …>.'
        )
    return wanted or (usual[0] if usual else "")


def first_word(value: _Entry, kind: str) -> str:
    """Return the first word that a control of a kind says in its value; empty for none."""
    words = value.get("text" if kind == "textarea" else kind)
    while isinstance(words, list):
        words = words[0] if words else None
    return text(words)


def _find_picture(task: _Entry, place: str) -> str:
    """Return the path of the picture of a task, without what a server puts before it."""
    data = task.get("data")
    values = data.values() if isinstance(data, dict) else ()
    paths = [_read_address(value) for value in values if isinstance(value, str) and "." in value]
    named = (path for path in paths if PurePath(path).suffix.lower() in _ENDINGS)
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
