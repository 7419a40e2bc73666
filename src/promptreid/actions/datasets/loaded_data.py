"""A data set as people look at it: what it is in a line, and samples of its pictures."""

from __future__ import annotations

import html
import os
from collections import defaultdict
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from promptreid.data import load_data as reading
from promptreid.data.dataset import DataSet
from promptreid.data.images.unreadable_choice import check_choice
from promptreid.data.inspection.findings import Inspection
from promptreid.data.inspection.inspect import inspect_data
from promptreid.data.inspection.inspection_text import render_text
from promptreid.errors import ConfigError, DataError
from promptreid.progress import Lines, Progress
from promptreid.text.wrap import wrapped

if TYPE_CHECKING:
    from promptreid.data.layouts.export_data import ExportedData
    from promptreid.figures.drawn import Drawn
    from promptreid.figures.picture_rows import PictureRow

_LONGEST = 240  # pixels of the longer side of a picture that is shown


@dataclass(frozen=True, repr=False)
class InspectedData(Inspection):
    """All findings on a data set. Printed, they are what `promptreid data inspect` prints."""

    def __str__(self) -> str:
        return wrapped(render_text(self))

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class LoadedData(DataSet):
    """A data set that was read; its attributes are those of `DataSet`."""

    def inspect(self, *, quick: bool = False, progress: Progress | None = None) -> InspectedData:
        """Count and check it, as `promptreid data inspect` does.

        Args:
            quick: Do not open the images.
            progress: Where to report; None for lines on standard error.

        Returns:
            The findings; `print` them, or ask whether they are `ok`.

        Example:
            >>> promptreid.load_data("folder:photos").inspect().ok
            True
        """
        found = inspect_data(self, check_images=not quick, progress=progress or Lines())
        return InspectedData(**{one.name: getattr(found, one.name) for one in fields(Inspection)})

    def export(
        self,
        out: str | os.PathLike[str],
        *,
        layout: str,
        wide: bool = False,
        cameras_apart: bool = False,
        unreadable: str = "stop",
        progress: Progress | None = None,
    ) -> ExportedData:
        """Write it into a new folder, in a layout that other tools read.

        The arguments are the options of `promptreid data export`.

        Args:
            out: The folder; it must not exist, or be empty.
            layout: "market1501", "csv" or "folders".
            wide: In market1501, allow cameras of two digits.
            cameras_apart: In market1501, where no camera is known, write queries as of camera 1 and
                the gallery as of camera 2.
            unreadable: "stop" at images that cannot be decoded, or "skip" them.
            progress: Where to report; None for lines on standard error.

        Raises:
            ConfigError: There is no such layout, or `unreadable` is neither.
            DataError: The folder is taken, an image cannot be read, or the layout cannot hold the
                data set.

        Example:
            >>> data = promptreid.load_data("folder:photos")
            >>> data.export("for-others", layout="market1501", cameras_apart=True).spec
            'market1501:for-others'
        """
        from promptreid.data.images.readable import only_readable
        from promptreid.data.layouts.export_data import export_data

        check_choice(unreadable)
        progress = progress or Lines()
        data: DataSet = self
        if unreadable == "skip":  # with "stop", an image that cannot be read stops the writing
            data = only_readable(self, policy=unreadable, progress=progress)
        return export_data(
            data, Path(out), layout=layout, wide=wide, apart=cameras_apart, progress=progress
        )

    def show(
        self, *, identities: int = 4, images: int = 8, seed: int = 0, pixelate: bool = False
    ) -> Drawn:
        """Draw samples, a row for each identity, its images of different cameras first.

        Args:
            identities: Rows at most.
            images: Pictures of each at most.
            seed: Draws the identities, those with two images or more before others.
            pixelate: Show all pictures as coarse mosaics.

        Raises:
            ConfigError: Matplotlib is missing, or a number is below 1.
            DataError: There are no images, or one cannot be read.

        Example:
            >>> promptreid.load_data("folder:photos").show(identities=3).save("samples.png").name
            'samples.png'
        """
        from promptreid.figures.drawn import Drawn
        from promptreid.figures.picture_rows import picture_rows_figure

        if min(identities, images) < 1:
            raise ConfigError(
                f"Samples take one identity and one image at least; got identities={identities}, "
                f"images={images}."
            )
        manifest = self.manifest
        rows_by_key = defaultdict[tuple[str, str], list[int]](list)
        for row, key in enumerate(manifest.identity_keys()):
            if manifest.splits[row] != "distractor" and key[1] not in self.background:
                rows_by_key[key].append(row)
        if not rows_by_key:
            raise DataError(f"{self.spec} has no images to show.")
        keys = sorted(rows_by_key)
        order = np.random.default_rng([seed, 0x5A3B]).permutation(len(keys))
        drawn = sorted((keys[place] for place in order), key=lambda one: len(rows_by_key[one]) < 2)
        shown = [self._row(key, rows_by_key[key], images, pixelate) for key in drawn[:identities]]
        names = ", ".join(identity for _, identity in drawn[:identities])
        return Drawn(
            picture_rows_figure(shown, note=self.summary),
            f"Samples of {manifest.name}: a row of pictures for each of {names}. {self.summary}",
        )

    def _row(
        self, key: tuple[str, str], rows: list[int], images: int, pixelate: bool
    ) -> PictureRow:
        from promptreid.figures.photographs import read_picture
        from promptreid.figures.picture_rows import CaptionedPicture, PictureRow
        from promptreid.figures.selection import different_first

        manifest = self.manifest
        cameras = [str(manifest.cameras[row]) for row in rows]
        ordered = [rows[place] for place in different_first(range(len(rows)), cameras)]
        pictures = [
            CaptionedPicture(
                read_picture(manifest.image(row), longest=_LONGEST, pixelate=pixelate),
                (f"camera {manifest.cameras[row] or '?'}", manifest.splits[row]),
            )
            for row in ordered[:images]
        ]
        several = len(set(manifest.domains)) > 1
        name = f"{key[0]}/{key[1]}" if several else key[1]
        return PictureRow(f"identity {name}", tuple(pictures))

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'>{html.escape(split)}</td>"
            f"<td>{one['identities']:,}</td><td>{one['images']:,}</td></tr>"
            for split, one in self.manifest.counts().items()
        )
        notes = "".join(f"<br>{html.escape(note)}" for note in self.notes)
        return (
            f"<p><b>{html.escape(self.spec)}</b></p><table><tr><th>split</th><th>identities</th>"
            f"<th>images</th></tr>{rows}</table><p>{html.escape(self.summary)}{notes}</p>"
        )


def load_data(spec: str | os.PathLike[str]) -> LoadedData:
    """Read a data set by name.

    Args:
        spec: `NAME:ROOT[?key=value&…]`, such as `market1501:/data/Market-1501-v15.09.15`, or
            `folder:crops` for a folder with one folder of pictures for each identity.

    Returns:
        The data set. Images are not opened; `inspect()` does that, and `show()` draws some.

    Raises:
        ConfigError: The spec, the name or an option is wrong.
        DataError: The data are not there or cannot be used.

    Example:
        >>> data = promptreid.load_data("folder:photos")
        >>> len(data.manifest), len(set(data.manifest.identities))
        (60, 12)
    """
    dataset = reading.load_data(os.fspath(spec))
    return LoadedData(**{one.name: getattr(dataset, one.name) for one in fields(DataSet)})
