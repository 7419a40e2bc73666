"""Your own images in folders.

Flat: `ROOT/<identity>/*.jpg`. Identities are drawn for training and testing.
Split: `ROOT/{train,val,query,gallery,test}/<identity>/*.jpg`. `test` beside `query` is the
gallery; without `query` the roles of its images are drawn. Hidden files are left out, and so are
folders whose name means that nobody knows whom they show, such as `unknown`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from promptreid.data.dataset import DataSet
from promptreid.data.manifest import Sample
from promptreid.data.readers.flat import FlatOptions, own_manifest, own_protocol, split_samples
from promptreid.data.readers.folder_advice import no_identities
from promptreid.data.readers.listing import Listing
from promptreid.data.readers.role_folders import (
    ROLES,
    refuse_known_layout,
    refuse_loose_roles,
    refuse_roles,
)
from promptreid.data.readers.walk import Walk
from promptreid.data.unknown import rows_of_known_identity
from promptreid.errors import DataError
from promptreid.text.lists import counted, few


class Options(FlatOptions):
    """Options of `folder`."""

    depth: int = Field(
        1,
        ge=1,
        le=9,
        description="levels below the root, or below train, query and so on, at which folders of "
        "identities lie; from 2 on an identity is named by its path, such as site1/anna",
    )
    nested: Literal["leave", "take"] = Field(
        "leave",
        description="images in folders inside an identity's folder, such as one a session: leave "
        "them out and count them, or take them as images of that identity",
    )


def read(root: Path, options: Options) -> DataSet:
    """Read images sorted into one folder per identity.

    Args:
        root: The folder.
        options: Checked options.

    Raises:
        DataError: When there is no such folder or no image in it, when its folders are roles or
            have a published layout, when there is a single identity or none is known, or when
            training and test share an identity.
    """
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; looked there for one folder per identity.")
    refuse_known_layout(root)
    name = root.name or "folder"
    reading = _Reading(root, options)
    samples = reading.samples()
    if not samples:
        raise no_identities(root, reading.walk, depth=options.depth)
    kept, unknown = rows_of_known_identity(
        [sample.identity.rsplit("/", 1)[-1] for sample in samples],
        [sample.split for sample in samples],
        options.unknown_words,
        source=str(root),
    )
    samples = [samples[row] for row in kept]
    notes = (*unknown, *reading.notes())
    if not reading.roles:
        samples, told = split_samples(samples, options, name)
        notes += told
    manifest = own_manifest(name, root, samples, options, source=str(root))
    protocol, told = own_protocol(manifest, options)
    return DataSet(
        f"folder:{root}", manifest, protocol, (*notes, *told), lost=reading.walk.lost, own=True
    )


class _Reading:
    """One reading of a folder: what is taken, and what is not."""

    def __init__(self, root: Path, options: Options) -> None:
        self.walk = Walk(root)
        self.roles: list[str] = []
        self._root = root
        self._options = options
        self._loose: list[str] = []
        self._nested: list[str] = []
        self._beside: list[str] = []

    def samples(self) -> list[Sample]:
        """List the images of all identities."""
        top = self.walk.enter(self._root)
        inside = dict(self.walk.children(self._root, top))
        self.roles = self._find_roles(inside)
        if not self.roles:
            self._loose += top.images
            return list(self._identities("", inside, "test", self._options.depth))
        loose = [role for role in ROLES if role in inside and role not in self.roles]
        refuse_loose_roles(
            self._root, {role: inside[role] for role in loose if inside[role].images}
        )
        self._loose += top.images
        for name in sorted(inside.keys() - set(ROLES)):
            below = self.walk.images_below(self._root / name, inside[name], f"{name}/")
            self._beside += below
        samples: list[Sample] = []
        for role in self.roles:
            split = "gallery" if role == "test" and "query" in self.roles else role
            self._loose += [f"{role}/{name}" for name in inside[role].images]
            children = dict(self.walk.children(self._root / role, inside[role]))
            samples += self._identities(f"{role}/", children, split, self._options.depth)
        return samples

    def _find_roles(self, inside: dict[str, Listing]) -> list[str]:
        """Find the folders of roles, which hold folders.

        A single one that holds images too, beside other folders with images, is an identity whose
        name happens to be that of a role.
        """
        roles = [role for role in ROLES if role in inside and inside[role].folders]
        others = [name for name in inside if name not in ROLES and inside[name].images]
        return [] if others and len(roles) == 1 and inside[roles[0]].images else roles

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
                children = dict(self.walk.children(self._root / path, listing))
                yield from self._identities(f"{path}/", children, split, depth - 1)
            return
        filled = {name: listing for name, listing in folders.items() if listing.images}
        refuse_roles(self._root / prefix, filled)
        levels = self._options.depth
        for name, listing in folders.items():
            path = f"{prefix}{name}"
            identity = "/".join(part.strip() for part in path.split("/")[-levels:])
            for image in self._images(path, listing):
                yield Sample(image, identity, split)

    def _images(self, path: str, listing: Listing) -> Iterator[str]:
        """Yield the images of an identity; those in folders inside are taken or noted down."""
        yield from (f"{path}/{name}" for name in listing.images)
        bare = Listing(folders=listing.folders, linked=listing.linked)
        deeper = list(self.walk.images_below(self._root / path, bare, f"{path}/"))
        if self._options.nested == "take":
            yield from deeper
        else:
            self._nested += deeper

    def notes(self) -> tuple[str, ...]:
        """Say what was not taken."""
        notes = []
        if self._loose:
            told = counted(len(self._loose), "image lies", "images lie")
            notes.append(f"{told} outside of identity folders, left out: {few(self._loose)}.")
        if self._nested:
            told = counted(len(self._nested), "image lies", "images lie")
            notes.append(
                f"{told} in folders inside identity folders, left out: {few(self._nested)}. The "
                "option nested=take takes them."
            )
        if self._beside:
            told = counted(len(self._beside), "image lies", "images lie")
            notes.append(
                f"{told} in folders beside {', '.join(self.roles)}, left out: {few(self._beside)}."
            )
        return (*notes, *self.walk.notes)
