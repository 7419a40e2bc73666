"""XML files of CVAT 1.1, for videos and for images, read line by line and safely.

A file that declares a document type is refused: annotations need none, and an entity in it may be
written in a line and read as gigabytes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from promptreid.data.annotations.annotation_file import check_annotation_file
from promptreid.data.tables.table_messages import quote_cell
from promptreid.errors import DataError
from promptreid.text.number_words import read_whole

_SHAPES = ("polygon", "polyline", "points", "mask", "cuboid", "ellipse", "skeleton", "tag")
_EDGES = ("xtl", "ytl", "xbr", "ybr")


@dataclass(slots=True)
class CvatBox:
    """One box.

    Attributes:
        line: Where it stands in the file, from 1.
        label: Class of what it shows.
        edges: Left, top, right and bottom edge in pixels, from 0.
        track: Number of its track; empty for boxes of images.
        task: Name of its task, where the file says so.
        subset: Part of a project that its task is of, such as "Train"; empty for tasks alone.
        picture: Name of its image; empty for boxes of videos.
        frame: Number of its frame; None for boxes of images.
        size: Width and height of the picture, where the file says so.
        outside: Whether the track is out of the picture.
        turned: Whether the box is rotated.
        attributes: What people marked on it.
    """

    line: int
    label: str
    edges: tuple[float, float, float, float]
    track: str = ""
    task: str = ""
    subset: str = ""
    picture: str = ""
    frame: int | None = None
    size: tuple[int, int] | None = None
    outside: bool = False
    turned: bool = False
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass
class CvatFile:
    """What an XML file of CVAT holds.

    Attributes:
        boxes: All boxes, in the order of the file.
        other_shapes: Names of shapes that are no boxes, and how many there are.
    """

    boxes: list[CvatBox] = field(default_factory=list)
    other_shapes: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Task:
    """What the head of a file says of a task."""

    id: str = ""
    name: str = ""
    size: list[str] = field(default_factory=lambda: ["", ""])


def read_cvat_file(file: Path) -> CvatFile:
    """Read an XML file of CVAT.

    Raises:
        DataError: When it cannot be read, is no such file, declares a document type, or a box is
            damaged; the line is named.
    """
    check_annotation_file(file, wanted="an XML file of CVAT", ending=".xml")
    return _CvatReader(file).read()


class _CvatReader:
    """Takes elements as they come, and keeps the boxes alone."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._content = CvatFile()
        self._path: list[str] = []
        self._owner: Mapping[str, str] = {}
        self._tasks: dict[str, _Task] = {}
        self._task = _Task()
        self._box: CvatBox | None = None
        self._attribute = ""
        self._text: list[str] = []
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text.append
        self._parser.StartDoctypeDeclHandler = self._refuse_document_type

    def read(self) -> CvatFile:
        """Read the file to its end."""
        try:
            with self._file.open("rb") as stream:
                self._parser.ParseFile(stream)
        except expat.ExpatError as error:
            words = expat.ErrorString(error.code)
            raise DataError(
                f"{self._file}, line {error.lineno}: this is no XML ({words})."
            ) from error
        return self._content

    def _at(self) -> str:
        return f"{self._file}, line {self._parser.CurrentLineNumber}"

    def _refuse_document_type(self, *_: object) -> None:
        raise DataError(
            f"{self._at()}: the file declares a document type, which may make a small file endless "
            "to read. Files of CVAT have none; take the declaration out."
        )

    def _start(self, name: str, values: dict[str, str]) -> None:
        if not self._path and name != "annotations":
            raise DataError(
                f"{self._at()}: the file begins with <{name}>, not with <annotations> as files of "
                "CVAT do."
            )
        self._path.append(name)
        self._text.clear()
        if name in ("track", "image"):
            self._owner = values
        elif name in ("task", "job"):
            self._task = _Task()
        elif name == "box":
            self._box = self._read_box(values)
        elif name == "attribute":
            self._attribute = values.get("name", "")
        elif name in _SHAPES:
            self._content.other_shapes[name] += 1

    def _end(self, name: str) -> None:
        text = "".join(self._text).strip()
        self._text.clear()
        self._path.pop()
        if name == "attribute" and self._box is not None:
            self._box.attributes[self._attribute] = text
        elif name == "box" and self._box is not None:
            self._content.boxes.append(self._box)
            self._box = None
        elif name in ("id", "name") and self._path[-1:] in (["task"], ["job"]):
            setattr(self._task, name, text)
        elif name in ("width", "height") and self._path[-1:] == ["original_size"]:
            self._task.size[name == "height"] = text
        elif name in ("task", "job"):
            self._end_task()

    def _end_task(self) -> None:
        """Note down a task, under another name where there is one of its name."""
        task = self._task
        if task.name in [other.name for other in self._tasks.values()]:
            task.name = f"{task.name} ({task.id})"
        self._tasks[task.id] = task

    def _read_box(self, values: Mapping[str, str]) -> CvatBox:
        owner = self._path[-2] if len(self._path) > 1 else ""
        if owner not in ("track", "image"):
            raise DataError(f"{self._at()}: a box stands in neither a <track> nor an <image>.")
        edges = [self._number(values, key) for key in _EDGES]
        video = owner == "track"
        task = self._tasks.get(self._owner.get("task_id", ""))
        if task is None and len(self._tasks) == 1:
            task = next(iter(self._tasks.values()))
        task = task or _Task()
        sizes = (
            task.size if video else [self._owner.get("width", ""), self._owner.get("height", "")]
        )
        frame = self._number(values, "frame") if video else None
        picture = "" if video else self._owner.get("name", "")
        track = self._owner.get("id", "") if video else ""
        if not (track or picture):
            missing = "a track without an id" if video else "an image without a name"
            raise DataError(f"{self._at()}: the box is of {missing}.")
        width, height = map(read_whole, sizes)
        return CvatBox(
            line=self._parser.CurrentLineNumber,
            label=(self._owner if video else values).get("label", ""),
            edges=(edges[0], edges[1], edges[2], edges[3]),
            track=track,
            task=task.name,
            subset=self._owner.get("subset", ""),
            picture=picture,
            frame=None if frame is None else int(frame),
            size=None if width is None or height is None else (width, height),
            outside=values.get("outside") == "1",
            turned=self._number({"rotation": "0", **values}, "rotation") % 360 != 0,
            attributes={"occluded": values["occluded"]} if values.get("occluded") == "1" else {},
        )

    def _number(self, values: Mapping[str, str], key: str) -> float:
        try:
            number = float(values[key])
        except (KeyError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            cell = values.get(key)
            shown = "missing" if cell is None else quote_cell(cell)
            raise DataError(f"{self._at()}: {key} of the box is {shown}; it must be a number.")
        return number
