"""A drawn figure with its words: notebooks show it, and it can be saved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from promptreid.figures.lettering import rewrite
from promptreid.figures.saving import SHOWN_DPI, draw_png, save_figure
from promptreid.text.safe import visible_lines

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class Drawn:
    """A figure and what it shows in words.

    A notebook shows it where it is the last value of a cell.

    Attributes:
        figure: The figure of matplotlib.
        alt: What it shows, for those who do not see it.
    """

    figure: Figure
    alt: str

    def __post_init__(self) -> None:
        """Write out what no font can draw: names of identities and cameras may hold anything."""
        object.__setattr__(self, "alt", visible_lines(self.alt))
        rewrite(self.figure, visible_lines)

    def save(self, path: str | Path) -> Path:
        """Write the figure, with its words as the description inside the file.

        Args:
            path: A file that ends in `.png`, `.svg` or `.pdf`; its folder is made.

        Returns:
            The path.

        Raises:
            ConfigError: The name has another ending.
        """
        save_figure(self.figure, Path(path), alt=self.alt)
        return Path(path)

    def __repr__(self) -> str:
        return f"Drawn({self.alt})"

    def _repr_png_(self) -> tuple[bytes, dict[str, object]]:
        """Return the picture for notebooks, with its width in pixels of the page and its words."""
        width = round(self.figure.get_figwidth() * SHOWN_DPI)
        return draw_png(self.figure, alt=self.alt), {"width": width, "alt": self.alt}
