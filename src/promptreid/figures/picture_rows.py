"""Rows of captioned pictures: what a search found, two pictures compared, samples of a data set."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promptreid.figures.photographs import Picture
from promptreid.figures.style import LIGHT, InchPage, Theme, themed_figure
from promptreid.text.short import ending, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE = 1.25  # inches of the longer side of a picture
_GAP, _MARGIN, _APART = 0.1, 0.12, 0.3
_LINE, _TITLE, _NOTE = 0.15, 0.24, 0.22  # inches of a line of words
_LETTER, _SMALL_LETTER = 0.062, 0.053  # inches of an average letter of a title, of a caption
_NARROWEST = 0.72  # inches of a column, so that its captions can be read


@dataclass(frozen=True, eq=False)
class CaptionedPicture:
    """A picture with lines below it.

    Attributes:
        picture: (H, W, 3) pixels; None where its file is not there any more.
        lines: What stands below; a line that is too long loses its beginning.
        marked: Whether its frame stands out.
    """

    picture: Picture | None
    lines: tuple[str, ...] = ()
    marked: bool = False


@dataclass(frozen=True, eq=False)
class PictureRow:
    """Pictures beside each other.

    Attributes:
        title: What stands above them; may be empty.
        pictures: At least one.
        asked: Picture that the others are an answer to, on the left and apart; None for none.
    """

    title: str
    pictures: tuple[CaptionedPicture, ...]
    asked: CaptionedPicture | None = None


def picture_rows_figure(
    rows: Sequence[PictureRow], *, note: str = "", theme: Theme = LIGHT
) -> Figure:
    """Draw rows of pictures below each other, all cells of one size.

    Args:
        rows: At least one.
        note: Sentence at the bottom.
        theme: Light or dark.

    Raises:
        ConfigError: Matplotlib is missing.
    """
    page = _RowsPage(rows, note)
    with themed_figure(theme, (page.width, page.height), layout=None) as figure:
        top = _MARGIN
        for row in rows:
            if row.title:
                words = shortened(row.title, int((page.width - 2 * _MARGIN) / _LETTER))
                page.text(figure, _MARGIN, top + _TITLE - 0.06, words, fontweight="bold")
            top += _TITLE * bool(row.title)
            left = _MARGIN
            if row.asked is not None:
                _draw_cell(figure, page, (left, top), row.asked, theme)
            left += page.first
            for one in row.pictures:
                _draw_cell(figure, page, (left, top), one, theme)
                left += page.column + _GAP
            top += page.cell[1] + page.lines * _LINE + _GAP
        if note:
            page.text(figure, _MARGIN, page.height - 0.07, note, color=theme.faint)
    return figure


class _RowsPage(InchPage):
    """The places of things on the figure, in inches from the upper left."""

    def __init__(self, rows: Sequence[PictureRow], note: str) -> None:
        cells = [one for row in rows for one in (row.asked, *row.pictures) if one is not None]
        shapes = [one.picture.shape for one in cells if one.picture is not None]
        ratio = statistics.median([shape[1] / shape[0] for shape in shapes] or [1.0])
        ratio = min(2.0, max(0.35, ratio))
        self.cell = _SIDE * min(1.0, ratio), _SIDE / max(1.0, ratio)
        self.column = max(self.cell[0], _NARROWEST)
        self.lines = max(len(one.lines) for one in cells)
        several = max(len(row.pictures) for row in rows)
        self.first = (self.column + _APART) * any(row.asked is not None for row in rows)
        self.width = max(2 * _MARGIN + self.first + several * (self.column + _GAP), 4.0)
        words = len(note) * _LETTER + 2 * _MARGIN
        self.width = max(self.width, min(words, 8.0))
        titles = sum(_TITLE * bool(row.title) for row in rows)
        body = len(rows) * (self.cell[1] + self.lines * _LINE + _GAP)
        self.height = 2 * _MARGIN + titles + body + _NOTE * bool(note)

    def axes(self, figure: Figure, left: float, top: float) -> Any:
        """Put a cell in the middle of its column."""
        return super().axes(figure, left + (self.column - self.cell[0]) / 2, top)


def _draw_cell(
    figure: Figure,
    page: _RowsPage,
    place: tuple[float, float],
    shown: CaptionedPicture,
    theme: Theme,
) -> None:
    """Draw a picture, its frame, and the lines below it."""
    axes = page.axes(figure, *place)
    if shown.picture is None:
        axes.text(0.5, 0.5, "not there\nany more", ha="center", va="center", fontsize=6.5)
        axes.set(xlim=(0, 1), ylim=(0, 1))
    else:
        axes.imshow(shown.picture)
    for spine in axes.spines.values():
        spine.set(edgecolor=theme.hues[0] if shown.marked else theme.faint)
        spine.set(linewidth=2.4 if shown.marked else 0.6)
    middle = place[0] + page.column / 2
    for number, line in enumerate(shown.lines, start=1):
        words = ending(line, max(6, int((page.column + _GAP) / _SMALL_LETTER)))
        below = place[1] + page.cell[1] + number * _LINE
        page.text(figure, middle, below, words, ha="center", fontsize=6.5, color=theme.ink)
