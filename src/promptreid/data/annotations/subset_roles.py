"""Subsets of an export that are named by roles: Train, Validation, Test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import Field

from promptreid.data.annotations.box_options import PictureOptions
from promptreid.data.folders.role_folders import ROLES
from promptreid.text.lists import listed


class SubsetOptions(PictureOptions):
    """Options of readers whose boxes are of subsets."""

    split: Literal["subset", "draw"] = Field(
        "subset", description="heed the roles that subsets are named by, or draw identities"
    )


def find_subset_roles(
    names: Iterable[str], options: SubsetOptions
) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """Return the roles that subsets are named by; none unless all are, by different ones.

    Args:
        names: What the subsets are called; they may be named again and again.
        options: Whether roles are heeded.

    Returns:
        Role of each subset, and a note on what was done.
    """
    subsets = sorted(set(names))
    roles = {subset: ROLES.get(subset.lower(), "") for subset in subsets}
    if "query" in roles.values():
        roles = {name: "gallery" if role == "test" else role for name, role in roles.items()}
    if options.split == "draw" or len({role for role in roles.values() if role}) < 2:
        return {}, ()
    without = [subset or "without a name" for subset, role in roles.items() if not role]
    if without:
        return {}, (
            f"The subsets {listed(without)} are no roles, so that roles are drawn for all images.",
        )
    return roles, (f"Roles are those of the subsets {listed(subsets)}; split=draw draws them.",)
