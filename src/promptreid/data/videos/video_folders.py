"""Videos in folders: one folder for each identity, or all there are."""

from __future__ import annotations

from pathlib import Path

from promptreid.data.folders.layout import describe_contents
from promptreid.data.folders.listing import Listing, list_folder
from promptreid.data.folders.role_folders import ROLE_WORDS
from promptreid.data.folders.walk import Walk
from promptreid.data.videos.decoded_frames import SUFFIXES
from promptreid.errors import DataError
from promptreid.text.lists import counted, shorten_list


def find_identity_videos(root: Path) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """Find the videos of each identity: `ROOT/IDENTITY/*.mp4`.

    Returns:
        Identity to paths below the root, and notes on videos that are left out.

    Raises:
        DataError: There is no such folder, no video in it, or its folders are roles.
    """
    top = _enter(root)
    inside = {name: list_folder(root / name) for name in top.folders}
    videos = {
        name: [f"{name}/{file}" for file in _videos(listing)]
        for name, listing in inside.items()
        if _videos(listing)
    }
    loose = _videos(top)
    if not videos:
        where = f"{counted(len(loose), 'video')} directly in it" if loose else "none"
        raise DataError(
            f"Looked in {root} for one folder of videos for each identity, but found {where}; it "
            f"holds {describe_contents(root)}. Put the videos of each identity into a folder "
            "of its own, or name a table of boxes with boxes=FILE.csv."
        )
    roles = [name for name in videos if name.lower() in ROLE_WORDS]
    if len(roles) > 1 or len(roles) == len(videos):
        raise DataError(
            f"The folders {shorten_list(roles)} of {root} are named like roles, not like "
            "identities. Videos are read from one folder for each identity, and roles are drawn."
        )
    nested = [name for name, listing in inside.items() if listing.folders]
    notes = []
    if loose:
        lie = counted(len(loose), "video lies", "videos lie")
        notes.append(f"{lie} outside of identity folders, left out: {shorten_list(loose)}.")
    if nested:
        notes.append(f"Folders inside identity folders are not read: {shorten_list(nested)}.")
    return videos, tuple(notes)


def find_all_videos(root: Path) -> dict[str, str]:
    """Find all videos below a folder.

    Returns:
        What a table may call them to their paths below the root: their paths, and their names with
        and without ending where these are unique.

    Raises:
        DataError: There is no such folder, or no video in it.
    """
    _enter(root)
    walk = Walk(root)
    paths, stack = [], [(root, walk.enter(root), "")]
    while stack:
        folder, listing, prefix = stack.pop()
        paths += [prefix + name for name in _videos(listing)]
        stack += [
            (folder / name, inside, f"{prefix}{name}/")
            for name, inside in walk.children(folder, listing).items()
        ]
    if not paths:
        raise DataError(f"{root} holds no video, but {describe_contents(root)}.")
    called: dict[str, list[str]] = {}
    for path in sorted(paths):
        name = path.rpartition("/")[2]
        for word in {path, path.rpartition(".")[0], name, name.rpartition(".")[0]}:
            called.setdefault(word, []).append(path)
    return {word: same[0] for word, same in called.items() if len(same) == 1 or word in same}


def _enter(root: Path) -> Listing:
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; looked there for videos.")
    return list_folder(root)


def _videos(listing: Listing) -> list[str]:
    return [name for name in listing.others if Path(name).suffix.lower() in SUFFIXES]
