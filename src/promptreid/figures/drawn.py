"""What every function that draws gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptreid.figures.letters import rewrite
from promptreid.text.safe import visible_lines

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawn:
    """A figure and what it shows in words."""

    figure: Figure
    alt: str

    def __post_init__(self) -> None:
        """Write out what no font can draw: names of identities and cameras may hold anything."""
        object.__setattr__(self, "alt", visible_lines(self.alt))
        rewrite(self.figure, visible_lines)
