"""Lists of images named as in Market-1501, which Datumaro and CVAT write beside them.

`images_train.txt` and `images_test.txt` hold a path a line, such as
`bounding_box_train/0002_c1s1_000451_03.jpg`. An image in the folder `query` is a query, whatever
list names it; all others have the role that their list is named by.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from promptreid.data.folders.layout import text_lines
from promptreid.data.folders.listed_images import keep_existing
from promptreid.data.folders.market_file_names import FOLDERS, JUNK, parse_name
from promptreid.data.manifest.manifest import Sample
from promptreid.errors import DataError
from promptreid.text.lists import counted, listed

_ROLES: Mapping[str, str] = {
    "train": "train",
    "val": "val",
    "query": "query",
    "test": "gallery",
    "gallery": "gallery",
}
"""Subset that a list is named by, to the role of its images."""


def find_market_lists(root: Path) -> dict[str, Path]:
    """Return the lists in a folder that lacks some of Market-1501's three folders, by subset."""
    if not root.is_dir() or all((root / folder).is_dir() for folder in FOLDERS.values()):
        return {}
    files = {file.stem.removeprefix("images_").lower(): file for file in root.glob("images_*.txt")}
    order = list(_ROLES)
    return dict(
        sorted(
            files.items(),
            key=lambda item: (order.index(item[0]) if item[0] in _ROLES else len(order), item[0]),
        )
    )


def list_listed_samples(
    root: Path, lists: Mapping[str, Path]
) -> tuple[list[Sample], tuple[str, ...]]:
    """List the images that lists name, junk left out.

    Args:
        root: Folder that the paths start from.
        lists: Subset to file.

    Returns:
        The images, and notes.

    Raises:
        DataError: A list is of no role, a name says no identity and camera (file and line are
            named), or images are missing.
    """
    samples, junk = [], 0
    for subset, file in lists.items():
        if subset not in _ROLES:
            raise DataError(
                f"{file} is named by the subset {subset!r}, which is no role; allowed are "
                f"{listed(list(_ROLES), 'or')}. Rename the list."
            )
        for line, words in text_lines(file):
            path = " ".join(words).replace("\\", "/")
            folder, _, name = path.rpartition("/")
            try:
                identity, camera = parse_name(name, root / folder)
            except DataError as error:
                raise DataError(f"{file}, line {line}: {error}") from None
            split = "query" if folder.split("/")[0] == "query" else _ROLES[subset]
            if identity == JUNK:
                junk += 1
            else:
                samples.append(Sample(path, identity, split, camera))
    names = listed([file.name for file in lists.values()])
    notes = (f"Images are those of {names}.",)
    if junk:
        notes += (f"{counted(junk, 'box', 'boxes')} of nobody (-1) left out.",)
    kept, respelled = keep_existing(samples, root, missing="stop", listed_in=names)
    return kept, notes + respelled
