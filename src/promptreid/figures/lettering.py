"""Letters of a figure that no font has, or that the figures' own lacks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from functools import cache
from typing import TYPE_CHECKING, Any

from promptreid.figures.extra import need
from promptreid.text.safe import written_out

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Change = Callable[[str], str]


def rewrite(figure: Figure, change: Change) -> Callable[[], None]:
    """Change every text of a figure in place; return what takes the change back.

    Those of ticks are included, which are made when the figure is drawn.
    """
    texts = [(text, text.get_text()) for text in figure.findobj(need("matplotlib.text").Text)]
    ticks: list[tuple[Any, Any]] = [
        (formatter, formatter.func)
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for formatter in [axis.get_major_formatter()]
        if hasattr(formatter, "func")
    ]
    for text, words in texts:
        text.set_text(change(words))
    for formatter, named in ticks:
        formatter.func = lambda value, place, named=named: change(named(value, place))

    def undo() -> None:
        for text, words in texts:
            text.set_text(words)
        for formatter, named in ticks:
            formatter.func = named

    return undo


@contextlib.contextmanager
def spelled_out(figure: Figure) -> Generator[None]:
    r"""Write letters that the figures' own font lacks as `\uXXXX` within a block.

    A box for each of them would make all such names look alike.
    """
    undo = rewrite(figure, _spelled)
    try:
        yield
    finally:
        undo()


def _spelled(text: str) -> str:
    if text.isascii():
        return text
    known = _letters()
    return "".join(
        letter if ord(letter) in known or letter in "\n\t" else written_out(letter)
        for letter in text
    )


@cache
def _letters() -> frozenset[int]:
    fonts = need("matplotlib.font_manager")
    return frozenset(fonts.get_font(fonts.findfont("DejaVu Sans")).get_charmap())
