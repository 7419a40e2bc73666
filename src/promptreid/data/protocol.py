"""Which samples are query and gallery, in how many repeats, and how they are scored."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from promptreid.data.manifest.manifest import Manifest
from promptreid.errors import DataError, unknown_name

CAMERA_RULES = ("exclude", "keep")
AP_DEFINITIONS = ("step", "trapezoid")


@dataclass(frozen=True, eq=False)
class Repeat:
    """One query set and one gallery, as rows of a manifest.

    Attributes:
        query: Row numbers (Q,), int64, distinct.
        gallery: Row numbers (G,), int64, distinct, none of them a query.

    Raises:
        DataError: When a set is empty, names a row twice, or shares a row with the other.
    """

    query: np.ndarray
    gallery: np.ndarray

    def __post_init__(self) -> None:
        for role in ("query", "gallery"):
            rows = np.array(getattr(self, role), dtype=np.int64)
            if rows.ndim != 1 or rows.size == 0:
                raise DataError(
                    f"A {role} set needs at least one image, but it has shape {rows.shape}."
                )
            if np.unique(rows).size != rows.size or rows.min() < 0:
                raise DataError(f"A {role} set must name each row once, counting from 0.")
            rows.setflags(write=False)
            object.__setattr__(self, role, rows)
        shared = np.intersect1d(self.query, self.gallery)
        if shared.size:
            raise DataError(
                f"{shared.size} images are both query and gallery, the first in row {shared[0]}; "
                "each would find itself."
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Repeat):
            return NotImplemented
        return np.array_equal(self.query, other.query) and np.array_equal(
            self.gallery, other.gallery
        )

    __hash__ = None


@dataclass(frozen=True)
class Protocol:
    """How a data set is tested.

    Attributes:
        name: Name for reports ("market1501", "hands11k/gallery", "vehicleid/800").
        repeats: At least one; scores are averaged over them.
        same_camera: "exclude" ignores gallery images of the query's identity and camera, "keep"
            ignores nothing.
        ap: Primary definition of average precision, "step" or "trapezoid".
        note: One sentence for people.
        closed: Queries show identities that train, so that training images may be gallery.

    Raises:
        DataError: When there is no repeat or a word is not allowed.
    """

    name: str
    repeats: tuple[Repeat, ...]
    same_camera: str
    ap: str
    note: str = ""
    closed: bool = False

    def __post_init__(self) -> None:
        if not self.repeats:
            raise DataError(f"Protocol {self.name!r} needs at least one repeat.")
        if self.same_camera not in CAMERA_RULES:
            raise DataError(unknown_name("same-camera rule", self.same_camera, CAMERA_RULES))
        if self.ap not in AP_DEFINITIONS:
            raise DataError(unknown_name("AP definition", self.ap, AP_DEFINITIONS))

    def compact(self) -> tuple[np.ndarray, Protocol]:
        """Number only the rows that any repeat uses.

        Returns:
            Those rows, int64, rising; and the protocol over them alone, in which row i is the i-th
            of them.
        """
        used = [part for repeat in self.repeats for part in (repeat.query, repeat.gallery)]
        rows = np.unique(np.concatenate(used))
        repeats = tuple(
            Repeat(np.searchsorted(rows, repeat.query), np.searchsorted(rows, repeat.gallery))
            for repeat in self.repeats
        )
        return rows, replace(self, repeats=repeats)

    def check(
        self, manifest: Manifest, *, query: tuple[str, ...], gallery: tuple[str, ...]
    ) -> None:
        """Make sure that every row exists and has a split that its role allows.

        Args:
            manifest: The table that the rows number.
            query: Splits that queries may come from.
            gallery: Splits that gallery images may come from.

        Raises:
            DataError: When a row is out of range or of another split.
        """
        splits = np.array(manifest.splits)
        for number, repeat in enumerate(self.repeats):
            for role, rows, allowed in (
                ("query", repeat.query, query),
                ("gallery", repeat.gallery, gallery),
            ):
                if rows.max() >= len(manifest):
                    raise DataError(
                        f"Repeat {number} of protocol {self.name!r} has the {role} row "
                        f"{rows.max()}, but {manifest.name!r} has {len(manifest)} rows."
                    )
                wrong = rows[~np.isin(splits[rows], allowed)]
                if wrong.size:
                    raise DataError(
                        f"Repeat {number} of protocol {self.name!r} uses "
                        f"{manifest.paths[wrong[0]]} of split {manifest.splits[wrong[0]]!r} "
                        f"as {role}; allowed are {', '.join(allowed)}."
                    )


def fixed_protocol(
    manifest: Manifest, *, name: str, same_camera: str, note: str = ""
) -> Protocol | None:
    """Score the splits `query` against `gallery` and `distractor`, once, with AP by steps.

    Returns:
        The protocol, or None when there is no query or no gallery image.
    """
    query, gallery = manifest.indices("query"), manifest.indices("gallery", "distractor")
    if not query.size or not gallery.size:
        return None
    return Protocol(name, (Repeat(query, gallery),), same_camera, "step", note)
