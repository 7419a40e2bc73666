"""Options that all readers of annotated boxes share."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from promptreid.data.readers.reader_options import MissingOptions
from promptreid.data.splits.drawn_roles import FlatOptions


class BoxOptions(FlatOptions, MissingOptions):
    """Options of readers whose images are boxes on pictures."""

    classes: str = Field(
        "", description="labels of what is taken, with commas between them; all by default"
    )
    every: int = Field(
        1, ge=1, description="take every n-th frame of a video, counted from its first one"
    )
    min_height: int = Field(0, ge=0, description="leave out boxes of fewer pixels from top to foot")
    margin: float = Field(
        0,
        ge=0,
        le=1,
        description="widen boxes on each side by this fraction of their width and height",
    )

    @property
    def class_names(self) -> frozenset[str]:
        """Labels that are taken, in small letters; empty for all."""
        return frozenset(word.strip().lower() for word in self.classes.split(",") if word.strip())


class FrameOptions(BoxOptions):
    """Options of readers that decode videos."""

    cache: Path | None = Field(
        None, description="folder to write frames into; one in the user's cache by default"
    )


class PictureOptions(BoxOptions):
    """Options of readers of one file, whose pictures lie elsewhere."""

    images: Path | None = Field(
        None,
        description="folder that the names of the pictures start from; where it is not given, the "
        "folder of the file, one called images, or those above are tried",
    )
    identity: str = Field(
        "", description="what the file calls the value that says who is shown, such as name"
    )
