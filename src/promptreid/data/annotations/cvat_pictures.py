"""Pictures that an XML file of CVAT names: images, and frames of videos by their numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from promptreid.data.annotations.box_options import PictureOptions
from promptreid.data.annotations.boxed_data import find_picture_root
from promptreid.data.annotations.cvat_xml import CvatBox
from promptreid.data.annotations.marked_box import plain_path
from promptreid.data.folders.walk import Walk
from promptreid.data.images.image_formats import SUFFIXES
from promptreid.errors import DataError
from promptreid.files import full_path
from promptreid.text.lists import counted

_NUMBER = re.compile(r"(\d+)$")
_FrameKey = tuple[str, int | None]  # subset and number of a frame


@dataclass(frozen=True)
class CvatPictures:
    """Where the pictures of a file are.

    Attributes:
        root: Folder that their paths start from.
        frames: Image of each frame of a video.
        by_subset: Whether the images of a subset lie in a folder of its name.
        by_bare_name: Images by their paths without an ending, where the file names them so: those
            of videos that were exported as images.
    """

    root: Path
    frames: Mapping[_FrameKey, str]
    by_subset: bool = False
    by_bare_name: Mapping[str, str] = field(default_factory=dict)

    def path(self, box: CvatBox) -> str:
        """Return the path of the picture of a box."""
        if not box.picture:
            return self.frames[box.subset, box.frame]
        alone, below = plain_path(box.picture), plain_path(f"{box.subset}/{box.picture}")
        for name in (below, alone):
            if name in self.by_bare_name:
                return self.by_bare_name[name]
        return below if self.by_subset and box.subset else alone


def find_cvat_pictures(
    file: Path, boxes: Sequence[CvatBox], options: PictureOptions
) -> CvatPictures:
    """Find the folder of the pictures, and the image of each frame of a video.

    Args:
        file: The XML file.
        boxes: What it marks, at least one box.
        options: The folder that the user named.

    Raises:
        DataError: A folder cannot be listed, or two images may be the same frame.
    """
    names = dict.fromkeys((box.subset, box.picture) for box in boxes if box.picture)
    bare = [name for name in names if not _has_ending(name[1])]
    whole = next((name for name in names if _has_ending(name[1])), None)
    if whole is not None:
        subset, picture = whole
        below = plain_path(f"{subset}/{picture}")
        root = find_picture_root(file, options.images, below)
        by_subset = bool(subset) and (root / below).is_file()
        if not by_subset:
            root = find_picture_root(file, options.images, plain_path(picture))
        return CvatPictures(root, {}, by_subset, _find_bare_names(root, bare) if bare else {})
    root = _find_frame_root(file, options)
    if bare:
        return CvatPictures(root, {}, by_bare_name=_find_bare_names(root, bare))
    walk = Walk(root)
    subsets = dict.fromkeys(box.subset for box in boxes)
    frames: dict[_FrameKey, str] = {}
    for subset in subsets:
        inside = root / subset
        if inside.is_dir():
            frames |= _list_frames(walk, inside, subset, prefix=f"{subset}/" if subset else "")
        elif len(subsets) == 1:  # somebody moved them out of the folder of the only subset
            frames |= _list_frames(walk, root, subset, prefix="")
    return CvatPictures(root, frames)


def _has_ending(picture: str) -> bool:
    return PurePath(picture).suffix.lower() in SUFFIXES


def _find_frame_root(file: Path, options: PictureOptions) -> Path:
    """Find the folder of the frames: the one that is named, that called images, or the file's."""
    root = full_path(options.images) if options.images else file.parent / "images"
    if not options.images and not root.is_dir():
        root = file.parent
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; looked there for the frames of {file}.")
    return root


def _find_bare_names(root: Path, bare: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Find the images that a file names without their ending, below or beside their subsets."""
    wanted = {
        plain_path(name) for subset, picture in bare for name in (picture, f"{subset}/{picture}")
    }
    walk = Walk(root)
    found: dict[str, str] = {}
    for path in walk.images_below(root, walk.enter(root)):
        name = path.removesuffix(PurePath(path).suffix)
        if name not in wanted:
            continue
        first = found.setdefault(name, path)
        if first != path:
            raise DataError(
                f"{first} and {path} in {root} may both be the picture {name}. Leave one of them, "
                "or name the folder that holds the right ones alone with images=DIR."
            )
    return found


def _list_frames(walk: Walk, folder: Path, subset: str, *, prefix: str) -> dict[_FrameKey, str]:
    frames: dict[_FrameKey, str] = {}
    for path in walk.images_below(folder, walk.enter(folder), prefix):
        match = _NUMBER.search(path.rpartition("/")[2].rpartition(".")[0])
        if match is None:
            continue
        first = frames.setdefault((subset, int(match[1])), path)
        if first != path:
            raise DataError(
                f"{first} and {path} in {folder} may both be frame {int(match[1])}. Name the "
                "folder that holds the frames of this video alone with images=DIR."
            )
    return frames


def keep_on_frames(
    file: Path, boxes: list[CvatBox], pictures: CvatPictures, options: PictureOptions
) -> tuple[list[CvatBox], tuple[str, ...]]:
    """Keep the boxes on frames of which there is an image, and all boxes of images.

    Returns:
        The boxes, and a note on those that are left out.

    Raises:
        DataError: There is no image of a frame, and that is not to be skipped.
    """
    there = [box for box in boxes if box.picture or (box.subset, box.frame) in pictures.frames]
    if len(there) == len(boxes):
        return boxes, ()
    gone = [
        box for box in boxes if not box.picture and (box.subset, box.frame) not in pictures.frames
    ]
    count = counted(len(gone), "box is on a frame", "boxes are on frames")
    folder = pictures.root / gone[0].subset
    words = f"{count} of which no image lies below {folder}, the first on frame {gone[0].frame}"
    if options.missing == "stop" or not there:
        raise DataError(
            f"{file}, line {gone[0].line}: {words}. Export the task with its images, name their "
            "folder with images=DIR, or write the frames of the video: ffmpeg -i VIDEO "
            "-start_number 0 images/frame_%06d.png. The option missing=skip leaves such boxes out."
        )
    return there, (f"{words}; left out.",)
