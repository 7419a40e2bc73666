"""Cameras, views and attribute values as rows of a trained table.

A row stands for a name. Where several data sets were trained on together, a row for a camera stands
for a data set and a name, since camera 1 of one site is not camera 1 of another. Views are the same
wherever they have one name, as are values of an attribute.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptreid.data.data_set_names import find_label
from promptreid.data.manifest.manifest import Manifest
from promptreid.data.manifest.name_order import UNKNOWN, sort_names
from promptreid.data.manifest.unknown_values import UnknownWords, read_name
from promptreid.errors import DataError

Side = str | tuple[str, str]
"""A name, or a data set's label and a name in it."""


def table_values(values: Iterable[Side | None]) -> tuple[Side, ...]:
    """Return what the rows of a side-information table stand for.

    Args:
        values: That of each training image; None and "" where unknown.

    Returns:
        The distinct known ones: data sets in the order in which they come, names of each by
        `sort_names`.
    """
    names: dict[str | None, set[str]] = {}
    for value in values:
        site, name = value if isinstance(value, tuple) else (None, value)
        if name:
            names.setdefault(site, set()).add(name)
    return tuple(
        name if site is None else (site, name)
        for site, of_site in names.items()
        for name in sort_names(of_site)
    )


def table_rows(values: Iterable[Side | None], table: Sequence[Side]) -> NDArray[np.int64]:
    """Map names to rows of a side-information table.

    Args:
        values: Value of each image; None and "" where unknown.
        table: What each row of the table was trained for.

    Returns:
        Rows, `UNKNOWN` for what is unknown and for what is not in the table, (N,).
    """
    rows: dict[Side | None, int] = {value: row for row, value in enumerate(table)}
    return np.array([rows.get(value, UNKNOWN) for value in values], dtype=np.int64)


@dataclass(frozen=True)
class SideTables:
    """What the rows of a model's tables of cameras and views stand for.

    Attributes:
        cameras: Names, or pairs of a data set's label and a name in it.
        views: Names, or values of the attribute.
        attribute: The attribute whose values stand for views; None for views themselves.
    """

    cameras: tuple[Side, ...] = ()
    views: tuple[Side, ...] = ()
    attribute: str | None = None

    def camera_rows(self, manifest: Manifest) -> NDArray[np.int64]:
        """Give each image's row of the camera table, (N,), `UNKNOWN` where there is none.

        Args:
            manifest: The images. Where the table tells data sets apart, its name and folder say
                which of them it is; another data set has no row.
        """
        sites = [value[0] for value in self.cameras if isinstance(value, tuple)]
        if not sites:
            return table_rows(manifest.cameras, self.cameras)
        site = find_label((manifest.name, str(manifest.root)), sites)
        names = (
            None if site is None or name is None else (site, name) for name in manifest.cameras
        )
        return table_rows(names, self.cameras)

    def view_rows(self, manifest: Manifest, *, attributes: bool = True) -> NDArray[np.int64]:
        """Give each image's row of the view table, (N,), `UNKNOWN` where there is none.

        Args:
            manifest: The images. An attribute that they lack is unknown for all of them, as a view
                that they lack is.
            attributes: Whether attributes may be read; where not, they are unknown.
        """
        if self.attribute is None:
            return table_rows(manifest.views, self.views)
        known = manifest.attributes.get(self.attribute) if attributes else None
        return table_rows(known or (None,) * len(manifest), self.views)


def named_rows(values: Sequence[object], table: Sequence[Side], column: str) -> NDArray[np.int64]:
    """Find rows for what a user names in Python.

    Args:
        values: Value of each image: a name or a number; or a pair of data set and name, which is
            needed where several data sets of the table have the name. None where unknown.
        table: What each row of the table was trained for.
        column: "camera" or "view", for the message.

    Returns:
        Rows, `UNKNOWN` for what is unknown and for what is not in the table, (N,).

    Raises:
        DataError: A name alone is that of several data sets, or a value is no name.
    """
    rows: dict[object, list[int]] = {}
    for row, value in enumerate(table):
        rows.setdefault(value, []).append(row)
        if isinstance(value, tuple):
            rows.setdefault(value[1], []).append(row)
    chosen = []
    for value in values:
        site, name = value if isinstance(value, tuple | list) and len(value) == 2 else (None, value)
        try:
            name = read_name(name, column, UnknownWords(keep=True))
        except ValueError as error:
            raise DataError(
                f"{value!r} is no {column}; give a name, a number, or None where it is not known."
            ) from error
        fitting = rows.get(name if site is None else (site, name), [])
        if len(fitting) > 1:
            sites = " and ".join(repr(table[row]) for row in fitting)
            raise DataError(
                f"The {column} {name!r} is of several data sets; write data set and {column}, as "
                f"in {sites}."
            )
        chosen.append(fitting[0] if fitting else UNKNOWN)
    return np.array(chosen, dtype=np.int64)
