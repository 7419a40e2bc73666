"""XML files of CVAT 1.1: tracks on a video, or boxes on images.

In a video a track is an identity, unless boxes have an attribute that names one. On images such an
attribute is needed. It is called `identity`, or as the option `identity` says. Attributes called
`camera`, `view` and `domain` are what they say; all others are free columns. The frames of a video
are images named by their number, as CVAT exports them (`frame_000012.png`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from promptreid.data.annotations.box_options import PictureOptions
from promptreid.data.annotations.boxed_data import (
    WITHIN_VIDEO,
    find_picture_root,
    make_boxed_data,
)
from promptreid.data.annotations.cvat_xml import CvatBox, CvatFile, read_cvat_file
from promptreid.data.annotations.marked_box import MarkedBox, plain_path, sort_attributes
from promptreid.data.dataset import DataSet
from promptreid.data.folders.walk import Walk
from promptreid.errors import DataError, unknown_name
from promptreid.files import full_path
from promptreid.text.lists import counted, listed

_IDENTITY = "identity"
_NUMBER = re.compile(r"(\d+)$")


class Options(PictureOptions):
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
    root, frames = _find_pictures(file, boxes, options)
    boxes, frame_notes = _on_frames(file, boxes, frames, root, options)
    marked = [_mark(file, box, frames, key, content.task) for box in boxes]
    notes += frame_notes
    if key:
        notes += (f"Identities are told by the attribute {key!r}.",)
    else:
        notes += ("Each track is an identity.", WITHIN_VIDEO)
    return make_boxed_data(
        marked, root, options, name=_name(file), source=f"cvat:{file}", notes=notes
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


def _find_pictures(
    file: Path, boxes: Sequence[CvatBox], options: Options
) -> tuple[Path, dict[int, str]]:
    """Find the folder of the pictures, and the image of each frame of a video."""
    named = next((box.picture for box in boxes if box.picture), "")
    if named:
        return find_picture_root(file, options.images, plain_path(named)), {}
    root = full_path(options.images) if options.images else file.parent / "images"
    if not options.images and not root.is_dir():
        root = file.parent
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; looked there for the frames of {file}.")
    walk = Walk(root)
    frames: dict[int, str] = {}
    for path in walk.images_below(root, walk.enter(root)):
        match = _NUMBER.search(path.rpartition("/")[2].rpartition(".")[0])
        if match is None:
            continue
        first = frames.setdefault(int(match[1]), path)
        if first != path:
            raise DataError(
                f"{first} and {path} in {root} may both be frame {int(match[1])}. Name the folder "
                "that holds the frames of this video alone with images=DIR."
            )
    return root, frames


def _on_frames(
    file: Path, boxes: list[CvatBox], frames: dict[int, str], root: Path, options: Options
) -> tuple[list[CvatBox], tuple[str, ...]]:
    """Keep the boxes on frames of which there is an image, and all boxes of images."""
    gone = [box for box in boxes if box.frame is not None and box.frame not in frames]
    if not gone:
        return boxes, ()
    count = counted(len(gone), "box is on a frame", "boxes are on frames")
    words = f"{count} of which no image lies below {root}, the first on frame {gone[0].frame}"
    there = [box for box in boxes if box.frame is None or box.frame in frames]
    if options.missing == "stop" or not there:
        raise DataError(
            f"{file}, line {gone[0].line}: {words}. Export the task with its images, name their "
            "folder with images=DIR, or write the frames of the video: ffmpeg -i VIDEO "
            "-start_number 0 images/frame_%06d.png. The option missing=skip leaves such boxes out."
        )
    return there, (f"{words}; left out.",)


def _mark(file: Path, box: CvatBox, frames: dict[int, str], key: str, task: str) -> MarkedBox:
    attributes = dict(box.attributes)
    identity = attributes.pop(key, "") if key else box.track
    names, others = sort_attributes(attributes)
    if box.track:
        others["track"] = box.track
    return MarkedBox(
        picture=plain_path(box.picture) if box.frame is None else frames[box.frame],
        edges=box.edges,
        identity=identity,
        place=f"{file}, line {box.line}",
        label=box.label,
        sequence=task if box.track else "",
        frame=box.frame,
        size=box.size,
        attributes=others,
        camera=names.get("camera", ""),
        view=names.get("view", ""),
        domain=names.get("domain", ""),
    )
