"""What every function that draws gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
        _make_drawable(self.figure)


def _make_drawable(figure: Figure) -> None:
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_text(visible_lines(text.get_text()))
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            formatter: Any = axis.get_major_formatter()
            # Labels that were given by name come out of a function each time they are drawn.
            if (named := getattr(formatter, "func", None)) is not None:
                formatter.func = _drawable(named)


def _drawable(named: Any) -> Any:
    return lambda value, place: visible_lines(named(value, place))
