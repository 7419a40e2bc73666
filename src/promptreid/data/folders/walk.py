"""A walk through folders of images that counts whatever it does not take."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from promptreid.data.folders.listing import Listing, list_folder
from promptreid.text.lists import counted, shorten_list
from promptreid.text.safe import visible

_SUFFIXES_SHOWN = 8
_NOT_TAKEN = ("heic", "raw", "special", "dead_images", "dead_folders")  # fields of a listing


class Walk:
    """Folders of a data set, each real one once, whatever links lead to it.

    A link that leads back up, or a second link to a folder, is left out and counted, so that no
    walk is endless and no picture comes twice under two names.
    """

    def __init__(self, root: Path) -> None:
        """Begin; nothing is listed yet, and names in notes start from the root."""
        self._root = root
        self._met: set[tuple[int, int]] = set()
        self._again: list[str] = []
        self._not_taken: dict[str, list[str]] = {kind: [] for kind in _NOT_TAKEN}
        self._suffixes: Counter[str] = Counter()

    def enter(self, folder: Path) -> Listing:
        """List a folder below the root, or the root; one met before counts as empty.

        What is not taken of it is counted.

        Raises:
            DataError: When it cannot be listed.
        """
        try:
            status = folder.stat()
        except OSError:
            return list_folder(folder)  # which says why it cannot be
        if (status.st_dev, status.st_ino) in self._met:
            self._again.append(self._name(folder))
            return Listing()
        self._met.add((status.st_dev, status.st_ino))
        listing = list_folder(folder)
        for kind, names in self._not_taken.items():
            names += [self._name(folder / name) for name in getattr(listing, kind)]
        self._suffixes.update(os.path.splitext(name)[1].lower() for name in listing.others)  # noqa: PTH122
        return listing

    def children(self, folder: Path, listing: Listing) -> dict[str, Listing]:
        """Enter the folders in a folder, real ones before links, so that these keep their names.

        Returns:
            Name and content of each, by name; those met before are left out.
        """
        entered = {}
        for name in sorted(listing.folders, key=lambda name: (name in listing.linked, name)):
            before = len(self._again)
            inside = self.enter(folder / name)
            if len(self._again) == before:
                entered[name] = inside
        return {name: entered[name] for name in sorted(entered)}

    def images_below(self, folder: Path, listing: Listing, prefix: str = "") -> Iterator[str]:
        """Yield the images in a folder and all folders inside, as paths behind a prefix.

        Args:
            folder: A folder that was entered.
            listing: What lies in it.
            prefix: What paths start with.
        """
        stack = [(folder, listing, prefix)]  # not a recursion: folders may be a thousand deep
        while stack:
            folder, listing, prefix = stack.pop()
            yield from (prefix + name for name in listing.images)
            stack += [
                (folder / name, inside, f"{prefix}{name}/")
                for name, inside in reversed(self.children(folder, listing).items())
            ]

    @property
    def endings(self) -> Mapping[str, int]:
        """Endings, in small letters, of files that are no images, and how many there are."""
        return self._suffixes

    @property
    def heic(self) -> tuple[str, ...]:
        """HEIC pictures that were met, which cannot be decoded."""
        return tuple(self._not_taken["heic"])

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what was met and not taken, in numbers."""
        notes = []
        if self._suffixes:
            files = counted(
                self._suffixes.total(),
                "file is no image by its name",
                "files are no images by their name",
            )
            kinds = [
                (suffix or "no ending") + (f" ({number:,})" if len(self._suffixes) > 1 else "")
                for suffix, number in sorted(self._suffixes.items())
            ]
            notes.append(f"{files}: {shorten_list(kinds, limit=_SUFFIXES_SHOWN)}.")
        left = self._not_taken
        for kind, names in (("HEIC", left["heic"]), ("raw camera", left["raw"])):
            if names:
                them = "it" if len(names) == 1 else "them"
                notes.append(
                    f"{counted(len(names), f'{kind} file')} cannot be read here; convert {them} to "
                    f"JPEG: {shorten_list(names)}."
                )
        for names, one, several in (
            (
                left["special"],
                "entry is no file but a pipe, socket or device",
                "entries are no files but pipes, sockets or devices",
            ),
            (
                self._again,
                "folder is met again through links and left out",
                "folders are met again through links and left out",
            ),
        ):
            if names:
                notes.append(f"{counted(len(names), one, several)}: {shorten_list(names)}.")
        return tuple(notes)

    @property
    def lost(self) -> tuple[str, ...]:
        """A sentence on links to nothing, if there are any."""
        images, folders = self._not_taken["dead_images"], self._not_taken["dead_folders"]
        dead = [*images, *folders]
        if not dead:
            return ()
        kinds = ((len(images), "image"), (len(folders), "folder"))
        links = " and ".join(counted(number, noun) for number, noun in kinds if number)
        verb = "is a link" if len(dead) == 1 else "are links"
        target = visible(os.fspath((self._root / dead[0]).readlink()))
        return (f"{links} {verb} to nothing, for example {visible(dead[0])} -> {target}.",)

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix() if path != self._root else path.name
