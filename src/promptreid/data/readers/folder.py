"""Your own images in folders.

Flat: `ROOT/<identity>/*.jpg`. Identities are drawn for training and testing.
Split: `ROOT/{train,val,query,gallery,test}/<identity>/*.jpg`. `test` beside `query` is the
gallery; without `query` the roles of its images are drawn. Letter case does not count, and other
usual names (training, validation, probe) stand for the same roles. Hidden files are left out, and
so are folders whose name means that nobody knows whom they show, such as `unknown`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from promptreid.data.dataset import DataSet
from promptreid.data.folders.folder_advice import refuse_no_identities
from promptreid.data.folders.identity_folders import IdentityFolders
from promptreid.data.folders.role_folders import refuse_known_layout
from promptreid.data.manifest.unknown_values import find_known_identities, note_unmet_words
from promptreid.data.splits.drawn_roles import (
    FlatOptions,
    choose_protocol,
    make_manifest,
    split_samples,
)
from promptreid.errors import DataError


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

    Raises:
        DataError: When there is no such folder or no image in it, when its folders are roles or
            have a published layout, when there is a single identity or none is known, or when
            training and test share an identity.
    """
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; looked there for one folder per identity.")
    refuse_known_layout(root)
    name = root.name or "folder"
    reading = IdentityFolders(root, depth=options.depth, take_nested=options.nested == "take")
    samples = reading.samples()
    if not samples:
        refuse_no_identities(root, reading.walk, depth=options.depth)
    names = [sample.identity.rsplit("/", 1)[-1] for sample in samples]
    splits = [sample.split for sample in samples]
    known, notes = find_known_identities(names, splits, options.unknown_words, source=str(root))
    notes += (*note_unmet_words(options.unknown_words, names), *reading.notes())
    samples = [samples[row] for row in known]
    if not reading.roles:
        samples, split_notes = split_samples(samples, options, name)
        notes += split_notes
    manifest = make_manifest(name, root, samples, options, source=str(root))
    protocol, protocol_notes = choose_protocol(manifest, options)
    return DataSet(
        f"folder:{root}",
        manifest,
        protocol,
        notes + protocol_notes,
        lost=reading.walk.lost,
        own=True,
        drawn=not reading.roles and not manifest.closed,
    )
