"""Folders of identities, with or without roles above them: which images are whose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from promptreid.data.folders.listing import Listing
from promptreid.data.folders.role_folders import ROLES, refuse_loose_roles, refuse_roles
from promptreid.data.folders.walk import Walk
from promptreid.data.manifest.manifest import Sample
from promptreid.data.manifest.sample_columns import SPLITS
from promptreid.errors import DataError
from promptreid.text.lists import counted, shorten_list


class IdentityFolders:
    """One reading of a folder: what is taken, and what is not.

    Attributes:
        walk: Counts what is no image.
        roles: Role to name of its folder; empty before `samples`, and when there are none.
    """

    def __init__(self, root: Path, *, depth: int, take_nested: bool) -> None:
        """Begin; nothing is listed yet.

        Args:
            root: The folder.
            depth: Levels below the root, or below a role, at which folders of identities lie.
            take_nested: Take images in folders inside an identity's folder.
        """
        self.walk = Walk(root)
        self.roles: dict[str, str] = {}
        self._root = root
        self._depth = depth
        self._take_nested = take_nested
        self._loose: list[str] = []
        self._nested: list[str] = []
        self._beside: list[str] = []

    def samples(self) -> list[Sample]:
        """List the images of all identities, those of a set without roles as of split test.

        Raises:
            DataError: When folders that should hold identities are roles, or two stand for one.
        """
        top = self.walk.enter(self._root)
        inside = self.walk.children(self._root, top)
        self._loose += top.images
        self.roles = self._find_roles(inside)
        if not self.roles:
            return list(self._identities("", inside, "test", self._depth))
        for name, listing in inside.items():
            if name.lower() not in ROLES:
                self._beside += self.walk.images_below(self._root / name, listing, f"{name}/")
        samples: list[Sample] = []
        for role, name in self.roles.items():
            split = "gallery" if role == "test" and "query" in self.roles else role
            self._loose += [f"{name}/{image}" for image in inside[name].images]
            children = self.walk.children(self._root / name, inside[name])
            samples += self._identities(f"{name}/", children, split, self._depth)
        return samples

    def finds_roles(self) -> bool:
        """Tell whether the folders say what their images are for.

        Raises:
            DataError: Two folders stand for one role, or one holds images and no folder.
        """
        return bool(self._find_roles(self.walk.children(self._root, self.walk.enter(self._root))))

    def _find_roles(self, inside: dict[str, Listing]) -> dict[str, str]:
        """Find the folders of roles, which hold folders.

        A single one that holds images too, beside other folders with images, is an identity whose
        name happens to be that of a role.

        Returns:
            Role to name of its folder.

        Raises:
            DataError: Two folders stand for one role, or one holds images and no folder.
        """
        named = [name for name in inside if name.lower() in ROLES]
        deep = [name for name in named if inside[name].folders]
        others = [name for name in inside if name not in named and inside[name].images]
        if not deep or (others and len(deep) == 1 and inside[deep[0]].images):
            return {}
        loose = [name for name in named if name not in deep and inside[name].images]
        refuse_loose_roles(self._root, {name: inside[name] for name in loose})
        roles: dict[str, str] = {}
        for name in deep:
            role = ROLES[name.lower()]
            if role in roles:
                raise DataError(
                    f"{roles[role]}/ and {name}/ in {self._root} both stand for {role}; put their "
                    "identities into one of them."
                )
            roles[role] = name
        return dict(sorted(roles.items(), key=lambda pair: SPLITS.index(pair[0])))

    def _identities(
        self, prefix: str, folders: dict[str, Listing], split: str, depth: int
    ) -> Iterator[Sample]:
        """Yield the images of the folders at a level, or of those further below.

        Args:
            prefix: Path of the folder that holds them, with a slash behind it.
            folders: Name and content.
            split: Role of their images.
            depth: 1 when these folders are the identities.
        """
        if depth > 1:
            for name, listing in folders.items():
                path = f"{prefix}{name}"
                self._loose += [f"{path}/{image}" for image in listing.images]
                children = self.walk.children(self._root / path, listing)
                yield from self._identities(f"{path}/", children, split, depth - 1)
            return
        filled = {
            name: listing
            for name, listing in folders.items()
            if listing.images or (self._take_nested and listing.folders)
        }
        refuse_roles(self._root / prefix, filled)
        for name, listing in folders.items():
            path = f"{prefix}{name}"
            identity = "/".join(part.strip() for part in path.split("/")[-self._depth :])
            for image in self._images(path, listing):
                yield Sample(image, identity, split)

    def _images(self, path: str, listing: Listing) -> Iterator[str]:
        """Yield the images of an identity; those in folders inside are taken or noted down."""
        yield from (f"{path}/{name}" for name in listing.images)
        bare = Listing(folders=listing.folders, linked=listing.linked)
        deeper = list(self.walk.images_below(self._root / path, bare, f"{path}/"))
        if self._take_nested:
            yield from deeper
        else:
            self._nested += deeper

    def notes(self) -> tuple[str, ...]:
        """Say what was not taken."""
        notes = []
        for paths, where, hint in (
            (self._loose, "outside of identity folders", ""),
            (
                self._nested,
                "in folders inside identity folders",
                " The option nested=take takes them.",
            ),
            (self._beside, f"in folders beside {', '.join(self.roles.values())}", ""),
        ):
            if paths:
                images = counted(len(paths), "image lies", "images lie")
                notes.append(f"{images} {where}, left out: {shorten_list(paths)}.{hint}")
        return (*notes, *self.walk.notes)
