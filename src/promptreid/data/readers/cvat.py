"""XML files of CVAT 1.1: tracks on a video, or boxes on images.

In a video a track is an identity, unless boxes have an attribute that names one. On images such an
attribute is needed. It is called `identity`, or as the option `identity` says. Attributes called
`camera`, `view` and `domain` are what they say; all others are free columns. The frames of a video
are images named by their number, as CVAT exports them (`frame_000012.png`). In the export of a
project each box is of a subset, whose pictures lie in a folder of its name; subsets that are named
by roles (Train, Validation, Test) are these.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from promptreid.data.annotations.boxed_data import WITHIN_VIDEO, make_boxed_data
from promptreid.data.annotations.cvat_pictures import (
    CvatPictures,
    find_cvat_pictures,
    keep_on_frames,
)
from promptreid.data.annotations.cvat_xml import CvatBox, CvatFile, read_cvat_file
from promptreid.data.annotations.marked_box import MarkedBox, sort_attributes
from promptreid.data.annotations.subset_roles import SubsetOptions, find_subset_roles
from promptreid.data.dataset import DataSet
from promptreid.errors import DataError, unknown_name
from promptreid.text.lists import counted, listed

_IDENTITY = "identity"


class Options(SubsetOptions):
    """Options of `cvat`."""


def read(file: Path, options: Options) -> DataSet:
    """Read the boxes of an XML file of CVAT.

    Raises:
        DataError: When the file cannot be read (the line is named), says nowhere who is shown, or
            pictures are missing; or nothing is taken.
    """
    content = read_cvat_file(file)
    notes = _note_other_shapes(content)
    boxes = [box for box in content.boxes if not box.outside]
    turned = sum(box.turned for box in boxes)
    if turned:
        are = counted(turned, "box is rotated and", "boxes are rotated and")
        notes += (f"{are} left out: images are cut out upright.",)
    boxes = [box for box in boxes if not box.turned]
    if not boxes:
        shapes = listed([f"{n:,} {name}" for name, n in content.other_shapes.items()])
        raise DataError(f"{file} marks no upright box" + (f", only {shapes}." if shapes else "."))
    key = _find_identity(file, boxes, options.identity)
    pictures = find_cvat_pictures(file, boxes, options)
    boxes, frame_notes = keep_on_frames(file, boxes, pictures, options)
    roles, role_notes = find_subset_roles((box.subset for box in boxes), options)
    marked = [_mark(file, box, pictures, key, roles.get(box.subset, "")) for box in boxes]
    notes += frame_notes + role_notes
    if key:
        notes += (f"Identities are told by the attribute {key!r}.",)
    else:
        notes += ("Each track is an identity.", WITHIN_VIDEO)
    return make_boxed_data(
        marked, pictures.root, options, name=_name(file), source=f"cvat:{file}", notes=notes
    )


def _name(file: Path) -> str:
    """Name the data set by its file, or by the folder of a file that has the usual name."""
    return file.parent.name if file.stem == "annotations" and file.parent.name else file.stem


def _note_other_shapes(content: CvatFile) -> tuple[str, ...]:
    if not content.other_shapes:
        return ()
    shapes = listed([f"{count:,} {name}" for name, count in content.other_shapes.items()])
    return (f"Shapes that are no boxes are left out: {shapes}.",)


def _find_identity(file: Path, boxes: Sequence[CvatBox], wanted: str) -> str:
    """Return the attribute that says who is shown; empty where tracks do."""
    there = dict.fromkeys(key for box in boxes for key in box.attributes if key != "occluded")
    if wanted and wanted not in there:
        raise DataError(f"{file}: {unknown_name('attribute', wanted, there)}")
    key = wanted or (_IDENTITY if _IDENTITY in there else "")
    if not key and not all(box.track for box in boxes):
        raise DataError(
            f"{file} marks boxes on images, and says of none who is shown. Name the attribute that "
            f"does with identity=NAME; there are {listed(list(there)) or 'none'}. In CVAT, give "
            "the label a text attribute and mark it on each box."
        )
    return key


def _mark(file: Path, box: CvatBox, pictures: CvatPictures, key: str, split: str) -> MarkedBox:
    attributes = dict(box.attributes)
    identity = attributes.pop(key, "") if key else box.track
    names, others = sort_attributes(attributes)
    if box.track:
        others["track"] = box.track
    if box.subset:
        others["subset"] = box.subset
    return MarkedBox(
        picture=pictures.path(box),
        edges=box.edges,
        identity=identity,
        place=f"{file}, line {box.line}",
        label=box.label,
        sequence=box.task if box.track else "",
        split=split,
        frame=box.frame,
        size=box.size,
        attributes=others,
        camera=names.get("camera", ""),
        view=names.get("view", ""),
        domain=names.get("domain", ""),
    )
