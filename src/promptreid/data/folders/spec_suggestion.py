"""How a folder of somebody's pictures is read as data, told by where its pictures lie."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from promptreid.data.data_spec import DataSpec
from promptreid.data.folders.folder_advice import refuse_no_identities
from promptreid.data.folders.identity_folders import IdentityFolders
from promptreid.data.folders.known_layouts import find_reader
from promptreid.data.folders.role_folders import quote_spec
from promptreid.data.folders.walk import Walk
from promptreid.data.reader_registry import reader_entry
from promptreid.errors import DataError
from promptreid.text.lists import counted, shorten_list

_REPEATED = 0.5
"""Inner folders whose distinct names are at most this share of them are parts of individuals."""


@dataclass(frozen=True)
class SpecSuggestion:
    """How a folder may be read.

    Attributes:
        spec: The data spec.
        named: Whether the folders say whom the pictures show.
        reasons: Sentences on what was found, and on another way of reading it where there is one.
        heic: Names of HEIC pictures, which cannot be decoded.
    """

    spec: str
    named: bool
    reasons: tuple[str, ...]
    heic: tuple[str, ...] = ()


def suggest_spec(folder: Path) -> SpecSuggestion:
    """Find out how a folder of pictures is to be read; no picture is opened.

    Published layouts, folders of roles (train, query, gallery), one folder per individual at any
    depth, and loose pictures are told apart. Where folders lie in folders, the inner ones are parts
    of an individual, such as sessions, if their names come again in most of the outer ones.

    Raises:
        DataError: There is no such folder or no picture in it, or its folders are roles without
            identities; says what to do.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise DataError(
            f"{folder} {what}. Name a folder that holds one folder of pictures for each person (or "
            "vehicle, or animal)."
        )
    reader = find_reader(folder)
    if reader:
        title = reader_entry(reader).description.partition(":")[0]
        return SpecSuggestion(str(DataSpec(reader, str(folder))), True, (f"It is {title}.",))
    walk = Walk(folder)
    paths = list(walk.images_below(folder, walk.enter(folder)))
    if not paths:
        refuse_no_identities(folder, walk, depth=1)
    if IdentityFolders(folder, depth=1, take_nested=False).finds_roles():
        reason = "Its folders say which pictures are for training and which for the test."
        return SpecSuggestion(str(DataSpec("folder", str(folder))), True, (reason,), walk.heic)
    spec, reason = _read_depth(folder, paths)
    return SpecSuggestion(str(spec), spec.name != "images", (reason,), walk.heic)


def _read_depth(folder: Path, paths: list[str]) -> tuple[DataSpec, str]:
    """Choose by how deep most pictures lie, and say why."""
    depths = Counter(path.count("/") for path in paths)
    depth = min(depths, key=lambda level: (-depths[level], level))
    root = str(folder)
    if depth == 0:
        reason = (
            f"{counted(depths[0], 'picture lies', 'pictures lie')} directly in it, so nobody has "
            "said whom they show."
        )
        return DataSpec("images", root), reason
    first = next(path for path in paths if path.count("/") == depth)
    if depth == 1:
        people = len({path.partition("/")[0] for path in paths if path.count("/") == 1})
        reason = f"It holds {_one_folder_each(people)}."
        deeper = sum(number for level, number in depths.items() if level > 1)
        if not deeper:
            return DataSpec("folder", root), reason
        inside = counted(deeper, "picture", "pictures")
        reason += f" {inside} in folders inside of these count as theirs (nested=take)."
        return DataSpec("folder", root, {"nested": "take"}), reason
    folders = {tuple(path.split("/")[:-1]) for path in paths if path.count("/") == depth}
    inner = {parts[-1] for parts in folders}
    outer = {parts[:-1] for parts in folders}
    if depth == 2 and len(outer) > 1 and len(inner) <= _REPEATED * len(folders):
        whole = quote_spec("folder", folder, depth="2")
        reason = (
            f"It holds {_one_folder_each(len(outer))}; the folders "
            f"inside are parts of it, since their names come again ({shorten_list(sorted(inner))})."
            f" If each of those is an individual of its own, give {whole} instead."
        )
        return DataSpec("folder", root, {"nested": "take"}), reason
    other = quote_spec("folder", folder, nested="take")
    reason = (
        f"The pictures lie {depth} folders deep, such as {shorten_list([first])}: each of these "
        f"{counted(len(folders), 'folder')} is taken as one individual (depth={depth})."
    )
    if depth == 2:
        reason += f" If each outer folder is one individual, give {other} instead."
    return DataSpec("folder", root, {"depth": str(depth)}), reason


def _one_folder_each(people: int) -> str:
    if people == 1:
        return "the folder of a single individual"
    return f"one folder for each of {people:,} individuals"
