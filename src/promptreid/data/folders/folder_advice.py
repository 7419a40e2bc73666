"""What to say of a folder in which no identity with images was found."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from promptreid.data.folders.layout import describe_contents
from promptreid.data.folders.role_folders import quote_spec, refuse_known_layout
from promptreid.data.folders.walk import Walk
from promptreid.data.videos.decoded_frames import SUFFIXES
from promptreid.errors import DataError
from promptreid.text.lists import counted, shorten_list


def refuse_no_identities(root: Path, walk: Walk, *, depth: int) -> NoReturn:
    """Say where the images are instead, or why there are none, and what to do.

    Args:
        root: The folder that was read.
        walk: The walk that found nothing.
        depth: Levels at which folders of identities were looked for.

    Raises:
        DataError: Always.
    """
    for folder in (root.parent, *sorted(path for path in root.iterdir() if path.is_dir())):
        refuse_known_layout(folder)
    looked = f"Looked in {root} for one folder of images per identity"
    again = Walk(root)
    below = list(again.images_below(root, again.enter(root)))
    loose = [path for path in below if "/" not in path]
    if loose:
        raise DataError(
            f"{looked}, but {counted(len(loose), 'image lies', 'images lie')} directly in it: "
            f"{shorten_list(loose)}. Put each person's photos in a folder of their own, or read "
            f"them without identities as {quote_spec('images', root)}."
        )
    if below:
        raise DataError(f"{looked}, {_describe_depth(root, below, depth)}")
    reasons = "".join(f" {reason}" for reason in (*walk.lost, *walk.notes))
    if any(ending in SUFFIXES for ending in walk.endings):
        reasons += f" Videos are read as {quote_spec('video', root)}."
    raise DataError(f"{looked}, but it holds {describe_contents(root)}.{reasons}")


def _describe_depth(root: Path, below: list[str], depth: int) -> str:
    levels = sorted({path.count("/") for path in below} - {depth})
    first = next(path for path in below if path.count("/") == levels[0])
    top = first.partition("/")[0]
    ways = quote_spec("folder", root, depth=str(levels[0]))
    if levels[0] > depth == 1:
        one = quote_spec("folder", root / top)
        ways = f"{one} reads one of them and {ways} all, each named by its path"
    else:
        ways += " reads them"
    deep = counted(levels[0], "folder")
    return (
        f"but the images lie {deep} deep, for example {shorten_list([first])}. {ways}; or "
        "list them in a table and read it as csv:FILE."
    )
