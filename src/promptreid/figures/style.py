"""How figures look: colours, shapes and type, on light and on dark paper."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from promptreid.errors import ConfigError, unknown_name
from promptreid.figures.extra import need
from promptreid.text.short import shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Theme:
    """Colours of a figure.

    Attributes:
        name: "light" or "dark".
        paper: Background.
        ink: Text and outlines.
        faint: Frames and notes; 4.5 : 1 against the paper at least.
        hues: Colours of groups, out of those of Okabe and Ito that all kinds of colour vision tell
            apart (Color Universal Design, 2008) and that this paper does not swallow; grey for
            their black, so that every hue differs from the ink.
    """

    name: str
    paper: str
    ink: str
    faint: str
    hues: tuple[str, ...]

    def rc(self) -> dict[str, Any]:
        """Return matplotlib's settings."""
        return {
            "font.family": ["DejaVu Sans"],  # comes with matplotlib, so it is there everywhere
            "font.size": 9,
            "axes.titlesize": 10,
            "axes.titleweight": "bold",
            "axes.linewidth": 0.6,
            "figure.facecolor": self.paper,
            "axes.facecolor": self.paper,
            "savefig.facecolor": self.paper,
            "text.color": self.ink,
            "text.parse_math": False,  # a name may hold two dollar signs
            "axes.labelcolor": self.ink,
            "axes.titlecolor": self.ink,
            "axes.edgecolor": self.faint,
            "xtick.color": self.ink,
            "ytick.color": self.ink,
            "legend.frameon": False,
            "grid.color": self.faint,
            "grid.alpha": 0.25,
            "grid.linewidth": 0.5,
        }


LIGHT = Theme(
    "light",
    paper="#ffffff",
    ink="#1a1a1a",
    faint="#6b6b6b",
    hues=("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#999999"),
)
DARK = Theme(
    "dark",
    paper="#15181c",
    ink="#ececec",
    faint="#9aa0a6",
    hues=("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#f0e442", "#999999"),
)
THEMES: Mapping[str, Theme] = MappingProxyType({theme.name: theme for theme in (LIGHT, DARK)})

SHAPES = ("o", "s", "^", "D", "v")
"""Markers of groups."""

_FIRST_SHAPES = (0, 1, 2, 3, 4, 3, 4)
"""Shape of each hue's first group. Hues that look alike, such as two blues or orange and red, share
a shape only among groups that are far apart in the list."""

STROKES = ("-", "--", "-.", ":", (0, (6, 1.5, 1, 1.5, 1, 1.5)))
"""Strokes of lines, as many as shapes, so that a line's stroke and marker go together."""

_DATA_NAME = 60  # letters above a figure
_WRITTEN_OUT = 3  # decades to each side of 1
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def find_theme(name: str) -> Theme:
    """Return a theme by name.

    Raises:
        ConfigError: There is none of that name.
    """
    if name not in THEMES:
        raise ConfigError(unknown_name("theme", name, THEMES))
    return THEMES[name]


def most_groups(theme: Theme) -> int:
    """Return how many groups get a hue and a shape that no other group has together."""
    return len(theme.hues) * len(SHAPES)


def group_look(theme: Theme, number: int) -> tuple[str, str]:
    """Return hue and marker of a group by its number, from 0; both change from one to the next.

    So neighbours in the list differ without colour too, as in a grey print.
    """
    return theme.hues[number % len(theme.hues)], SHAPES[_shape(theme, number)]


def _shape(theme: Theme, number: int) -> int:
    """Return the number of a group's shape; a hue takes the next one each time round."""
    turn, hue = divmod(number, len(theme.hues))
    return (_FIRST_SHAPES[hue] + turn) % len(SHAPES)


def line_look(theme: Theme, number: int) -> dict[str, Any]:
    """Return colour, stroke and marker of a line, by its number, as matplotlib's options.

    Neighbours differ in all three.
    """
    hue, shape = group_look(theme, number)
    return {
        "color": hue,
        "linestyle": STROKES[_shape(theme, number)],
        "linewidth": 1.6,
        "marker": shape,
        "markersize": 4.5,
        "markeredgecolor": theme.paper,
        "markeredgewidth": 0.5,
    }


def check_lines(count: int, theme: Theme) -> None:
    """Refuse more lines than can be told apart.

    Raises:
        ConfigError: There are too many; the number that can be told apart is said.
    """
    if count > most_groups(theme):
        raise ConfigError(
            f"{count} runs are more than colours, strokes and markers can tell apart; take "
            f"{most_groups(theme)} at most."
        )


def label_decades(axis: Any) -> None:
    """Label the powers of ten of a logarithmic axis: 0.001 to 1,000 in full, others as 10⁻⁴.

    Matplotlib's own labels would be formulas.
    """
    _label_ticks(axis, decade_text)


def decade_text(value: float) -> str:
    """Write a power of ten."""
    power = round(math.log10(value))
    if abs(power) <= _WRITTEN_OUT:
        return f"{10.0**power:,.{max(0, -power)}f}"
    return "10" + str(power).translate(_RAISED)


def label_percents(axis: Any) -> None:
    """Label a logarithmic axis of rates in percent: 0.01 is 1."""
    _label_ticks(axis, lambda value: f"{100 * value:.12g}")


def _label_ticks(axis: Any, write: Callable[[float], str]) -> None:
    ticker = need("matplotlib.ticker")
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: write(value)))
    axis.set_minor_formatter(ticker.NullFormatter())


@contextlib.contextmanager
def themed_figure(
    theme: Theme, size: tuple[float, float], *, data: str = "", layout: str | None = "constrained"
) -> Generator[Any]:
    """Yield a new figure; what is drawn within takes the theme, and no setting of matplotlib stays.

    Args:
        theme: Light or dark.
        size: Width and height in inches.
        data: Name of the data set, above the figure.
        layout: What places the axes; None for nothing.

    Raises:
        ConfigError: Matplotlib is missing.
    """
    with need("matplotlib").rc_context(theme.rc()):
        figure = need("matplotlib.figure").Figure(figsize=size, layout=layout)
        if data:
            figure.suptitle(shortened(data, _DATA_NAME), x=0.01, ha="left", fontsize=8)
        yield figure


class InchPage:
    """The places of things on a figure, in inches from the upper left.

    Attributes:
        width: Of the figure.
        height: Of the figure.
        cell: Width and height of a cell.
    """

    width: float
    height: float
    cell: tuple[float, float]

    def axes(self, figure: Figure, left: float, top: float) -> Any:
        """Put a cell at a place."""
        width, height = self.cell
        place = (
            left / self.width, 1 - (top + height) / self.height,
            width / self.width, height / self.height,
        )  # fmt: skip
        axes = figure.add_axes(place)
        axes.set(xticks=[], yticks=[])
        return axes

    def text(self, figure: Figure, left: float, top: float, words: str, **options: Any) -> None:
        """Put words with their lower edge at a place."""
        options = {"fontsize": 7.5, "va": "bottom", "ha": "left", **options}
        figure.text(left / self.width, 1 - top / self.height, words, **options)
