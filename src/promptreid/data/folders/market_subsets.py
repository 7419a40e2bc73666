"""Subsets of images named as in Market-1501, which Datumaro and CVAT write in its place.

A subset is a folder `bounding_box_SUBSET` (and `query`), or where images are not written, a list
`images_SUBSET.txt` with a path a line, such as `bounding_box_train/0002_c1s1_000451_03.jpg`. An
image in the folder `query` is a query, whatever list names it; all others have the role that their
subset is named by, or that they are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from promptreid.data.folders.layout import subfolders, text_lines
from promptreid.data.folders.listed_images import keep_existing
from promptreid.data.folders.listing import list_folder
from promptreid.data.folders.market_file_names import FOLDERS, JUNK, parse_name
from promptreid.data.folders.role_folders import ROLES
from promptreid.data.manifest.manifest import Sample
from promptreid.errors import ConfigError, DataError, unknown_name
from promptreid.text.lists import counted, listed

_QUERY, _GALLERY = "query", "gallery"
_LIST, _FOLDER = "images_", "bounding_box_"
_ALLOWED = ("train", "val", _QUERY, _GALLERY)


def find_market_subsets(root: Path, *, wanted: bool) -> dict[str, Path]:
    """Return the subsets in a folder that lacks some of Market-1501's three folders.

    Args:
        root: The folder.
        wanted: Return them even where all three folders are there.

    Returns:
        Name to list or folder; lists alone where there are some and folders are missing. Empty
        where there are neither, but for Market-1501's own folders.
    """
    standard = {root / folder for folder in FOLDERS.values()}
    whole = all(folder.is_dir() for folder in standard)
    if not root.is_dir() or (whole and not wanted):
        return {}
    lists = {file.stem.removeprefix(_LIST): file for file in sorted(root.glob(f"{_LIST}*.txt"))}
    if lists and not whole:
        return lists
    folders = {path.name.removeprefix(_FOLDER): path for path in subfolders(root)}
    found = {
        name: path
        for name, path in sorted(folders.items())
        if path.name == _QUERY or path.name.startswith(_FOLDER)
    }
    return found if set(found.values()) - standard else {}


def read_given_roles(text: str, subsets: Mapping[str, Path]) -> dict[str, str]:
    """Read what the option `subsets` says: `default:gallery,site2:train`.

    Raises:
        ConfigError: It is no such list, there is no subset of a name, or no such role.
    """
    given = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, colon, role = part.rpartition(":")
        if not colon:
            raise ConfigError(
                f"Option subsets={text} is not allowed: write subset and role, as in "
                "subsets=default:gallery,site2:train."
            )
        if name not in subsets:
            raise ConfigError(unknown_name("subset", name, subsets))
        if role not in _ALLOWED:
            raise ConfigError(unknown_name("role", role, _ALLOWED))
        given[name] = role
    return given


def list_subset_samples(
    root: Path, subsets: Mapping[str, Path], given: Mapping[str, str]
) -> tuple[list[Sample], tuple[str, ...]]:
    """List the images of subsets, junk left out.

    Args:
        root: Folder that the paths start from.
        subsets: Name to list or folder.
        given: Roles of subsets that the user named.

    Returns:
        The images, by role and then in order, and notes.

    Raises:
        DataError: A name says no identity and camera (file and line are named), images are missing,
            or there are no queries.
    """
    roles = {subset: given.get(subset) or _read_role(subset) for subset in subsets}
    samples, junk = [], 0
    subsets = dict(sorted(subsets.items(), key=lambda one: _ALLOWED.index(roles[one[0]])))
    for subset, place in subsets.items():
        for path, identity, camera in _names(root, place):
            split = _QUERY if path.split("/")[0] == _QUERY else roles[subset]
            if identity == JUNK:
                junk += 1
            else:
                samples.append(Sample(path, identity, split, camera))
    names = listed([place.name for place in subsets.values()])
    others = [subset for subset in subsets if subset.lower() not in ROLES and subset not in given]
    if others and all(sample.split != _QUERY for sample in samples):
        raise DataError(
            f"The subset {others[0]!r} of {root} ({names}) is no role, and there are no queries, "
            "which lie in a folder query or are named by a list images_query.txt. In CVAT mark "
            f"them with the attribute query, or say what it is: subsets={others[0]}:query."
        )
    notes = (f"Images are those of {names}.",)
    if others:
        are = "is no role and is" if len(others) == 1 else "are no roles and are"
        notes += (
            f"{listed(others)} {are} taken for the gallery; subsets={others[0]}:train gives "
            "another role.",
        )
    if junk:
        notes += (f"{counted(junk, 'box', 'boxes')} of nobody (-1) left out.",)
    kept, respelled = keep_existing(samples, root, missing="stop", listed_in=names)
    return kept, notes + respelled


def _read_role(subset: str) -> str:
    role = ROLES.get(subset.lower(), _GALLERY)
    return role if role in _ALLOWED else _GALLERY


def _names(root: Path, place: Path) -> Iterator[tuple[str, str, str]]:
    """Yield path, identity and camera of the images of a list or folder."""
    if place.is_dir():
        for name in list_folder(place).images:
            yield (f"{place.name}/{name}", *parse_name(name, place))
        return
    for line, words in text_lines(place):
        path = " ".join(words).replace("\\", "/")
        folder, _, name = path.rpartition("/")
        try:
            yield (path, *parse_name(name, root / folder))
        except DataError as error:
            raise DataError(f"{place}, line {line}: {error}") from None
