"""What is searched: a gallery, or a plain folder of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from promptreid.gallery.gallery import Gallery

SHIPPED = "the small model that comes with promptreid"
"""Where the model lies that is taken when none is named."""


@dataclass(frozen=True, eq=False, repr=False)
class SearchedPlace:
    """What is searched.

    Attributes:
        place: As it was given.
        gallery: The gallery, or the one that stands for a folder.
        named: Whether it knows whom its pictures show.
        root: Folder that the paths of its pictures are written from; None for a gallery.
        shipped_model: Whether the model is the one that comes with the package.
        notes: Sentences on what was left out.
    """

    place: str
    gallery: Gallery
    named: bool = True
    root: Path | None = None
    shipped_model: bool = False
    notes: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """Say in capitals what those who can be found are."""
        return "ENROLLED" if self.root is None else "THERE"

    def name_picture(self, entry: int) -> str:
        """Name the picture of an entry, within its folder where there is one; empty for none."""
        path = self.gallery.picture(entry).path
        if path is None:
            return ""
        if self.root is not None and Path(path).is_relative_to(self.root):
            return str(Path(path).relative_to(self.root))
        return path

    @property
    def remarks(self) -> list[str]:
        """Sentences that belong beside every answer."""
        remarks = []
        if not self.named:
            remarks.append(
                "Nobody has said whom these pictures show, so whether it is somebody else cannot "
                "be decided. Put each person's pictures in a folder of their own for an answer."
            )
        if self.shipped_model:
            remarks.append(
                f"Compared by {SHIPPED}, which never saw a photograph: take it as a first look. "
                "Train one on such pictures (promptreid train clip-reid/tiny --data "
                "folder:/path/to/folders --out runs/mine) and name it by --model runs/mine."
            )
        return remarks
