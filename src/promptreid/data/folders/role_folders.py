"""Folders named train, query or gallery are roles of images, not people."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from promptreid.data.data_spec import DataSpec
from promptreid.data.folders.known_layouts import find_reader
from promptreid.data.folders.listing import Listing
from promptreid.data.reader_registry import reader_entry
from promptreid.errors import DataError
from promptreid.text.lists import shorten_list

ROLES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("train", "training"), "train"),
        **dict.fromkeys(("val", "valid", "validation"), "val"),
        **dict.fromkeys(("query", "queries", "probe", "probes"), "query"),
        **dict.fromkeys(("gallery", "galleries"), "gallery"),
        **dict.fromkeys(("test", "testing"), "test"),
        **dict.fromkeys(("distractor", "distractors"), "distractor"),
    }
)
"""Names, in small letters, of the folders of a split data set, to the role of what they hold."""

ROLE_WORDS = frozenset(
    (
        *ROLES,
        *("train_all", "bounding_box_train", "bounding_box_test"),
        *("image_train", "image_query", "image_test"),
    )
)
"""What people and published sets call folders of roles, in small letters."""

_IDENTITY_AND_CAMERA = re.compile(r"-?\d+_c\d+", re.IGNORECASE)


def quote_spec(name: str, root: Path, **options: str) -> str:
    """Write a data spec as it is typed into a shell."""
    return shlex.quote(str(DataSpec(name, str(root), options)))


def refuse_known_layout(folder: Path) -> None:
    """Stop when a folder has a published layout, which has a reader of its own.

    Raises:
        DataError: It has; says how to read it.
    """
    name = find_reader(folder)
    if name:
        title = reader_entry(name).description.partition(":")[0]
        raise DataError(
            f"{folder} looks like {title}, whose folders are not identities; read it as "
            f"{quote_spec(name, folder)}."
        )


def refuse_roles(folder: Path, identities: Mapping[str, Listing]) -> None:
    """Stop when folders that would be identities are named like roles.

    A single one beside others may be an identity, such as the train among kinds of vehicles.

    Args:
        folder: Where they lie.
        identities: Folders that hold images, and what lies in each.

    Raises:
        DataError: Two or more of them, or all, are named like roles.
    """
    roles = [name for name in identities if name.lower() in ROLE_WORDS]
    if len(roles) > 1 or len(roles) == len(identities):
        refuse_loose_roles(folder, {name: identities[name] for name in roles})


def refuse_loose_roles(folder: Path, roles: Mapping[str, Listing]) -> None:
    """Stop when folders named like roles hold images but no folders of identities.

    Args:
        folder: Where they lie.
        roles: The folders, and what lies in each.

    Raises:
        DataError: There are such folders; says what to do with them.
    """
    if not roles:
        return
    names = [f"{name}/" for name in roles]
    way = f"Put the images of each identity into a folder of its own ({names[0]}<identity>/)"
    images = [image for listing in roles.values() for image in listing.images]
    if all(_IDENTITY_AND_CAMERA.match(image) for image in images):
        way = (
            "Their files are named by identity and camera as in Market-1501: call the folders "
            "bounding_box_train, query and bounding_box_test and read "
            f"{quote_spec('market1501', folder)}"
        )
    raise DataError(
        f"{shorten_list(names, limit=len(ROLE_WORDS))} in {folder} "
        f"{'hold' if len(names) > 1 else 'holds'} images but no folder for each identity; so named "
        f"they are roles, not people. {way}, or list the images in a table with path, identity and "
        "split, and read it as csv:FILE."
    )
