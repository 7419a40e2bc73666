"""Queries, and beside each the gallery images that runs put first."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from promptreid.figures.extra import need
from promptreid.figures.photographs import Picture
from promptreid.figures.rank_lists import Hit, RankList
from promptreid.figures.shown_queries import ShownQuery
from promptreid.figures.style import LIGHT, InchPage, Theme, themed_figure
from promptreid.text.number_words import similarity
from promptreid.text.short import ending, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE = 0.92  # inches of the longer side of a cell
_GAP, _COLUMN_GAP, _LINE, _BELOW = 0.09, 0.2, 0.27, 0.15
_LIFT = 0.08  # of words above a picture, so that they clear the badges
_LETTER = 0.068  # inches of an average letter
_LEGEND, _NOTE, _MARGIN = 0.42, 0.22, 0.12
_LONGEST_CAPTION = 14
# A tick and a cross as lines, so that no font needs to have them.
_TICK = ((-1.0, 0.0), (-0.3, -0.8), (1.0, 0.9))
_CROSS = (((-0.8, -0.8), (0.8, 0.8)), ((-0.8, 0.8), (0.8, -0.8)))


def ranks_figure(
    queries: Sequence[ShownQuery],
    gallery: Mapping[int, Picture],
    *,
    top: int,
    note: str = "",
    theme: Theme = LIGHT,
) -> Figure:
    """Draw rank lists below each other, those of one query under different runs next to each other.

    True matches have a tick and a solid frame, others a cross and a dashed one; below each stands
    its cosine with the query. The last column shows the first true match where the list ends before
    it.

    Args:
        queries: At least one, with lists of `top` images.
        gallery: Pictures by gallery row: of all hits and of all first matches.
        top: Length of the lists.
        note: Sentence at the bottom.
        theme: Light or dark.

    Raises:
        ConfigError: Matplotlib is missing.
    """
    shapes = [picture.shape[1] / picture.shape[0] for picture in gallery.values()]
    aspect = min(2.0, max(0.35, statistics.median(shapes)))
    page = _Page(queries, top, (_SIDE * min(1.0, aspect), _SIDE / max(1.0, aspect)))
    with themed_figure(theme, (page.width, page.height), layout=None) as figure:
        for number, query in enumerate(queries):
            _draw_query(figure, page, number, query, gallery, theme)
        _draw_legend(figure, page, note, theme)
    return figure


def ranks_alt(queries: Sequence[ShownQuery], data: str, *, which: str, top: int) -> str:
    """Say in words what the figure shows."""
    runs = list(queries[0].lists)
    lines = "; ".join(
        f"{run} first true matches at ranks "
        f"{', '.join(str(query.lists[run].first.rank) for query in queries)}"
        for run in runs
    )
    chosen = {
        "worst": "those with the lowest average precision",
        "best": "those with the highest average precision",
        "median": f"those around the median average precision of {runs[0]}",
        "random": "drawn at random",
    }[which]
    over = ", averaged over the runs" if len(runs) > 1 and which in ("worst", "best") else ""
    names = ", ".join(query.identity for query in queries)
    return (
        f"Rank lists of {len(queries)} queries of {data}, {chosen}{over} (identities {names}), "
        f"with the {top} closest gallery images of each. {lines}."
    )


class _Page(InchPage):
    """The places of things on the figure, in inches from the upper left."""

    def __init__(self, queries: Sequence[ShownQuery], top: int, cell: tuple[float, float]) -> None:
        self.top, self.cell = top, cell
        self.runs = len(queries[0].lists)
        self.row = cell[1] + _BELOW + _LINE
        self.group = self.runs * self.row + _COLUMN_GAP
        self.left = _MARGIN + max(cell[0], 0.8) + _COLUMN_GAP
        self.list_width = top * (cell[0] + _GAP)
        self.last = self.left + self.list_width + _COLUMN_GAP
        self.width = max(self.last + max(cell[0], 0.95) + _MARGIN, 5.0)
        self.height = _MARGIN + len(queries) * self.group + _LEGEND + _NOTE


def _draw_query(
    figure: Figure,
    page: _Page,
    number: int,
    query: ShownQuery,
    gallery: Mapping[int, Picture],
    theme: Theme,
) -> None:
    start = _MARGIN + number * page.group + _LINE
    axes = page.axes(figure, _MARGIN, start)
    axes.imshow(query.picture)
    _frame(axes, theme.ink, 1.0, "-")
    page.text(
        figure, _MARGIN, start - _LIFT, ending(query.identity, _LONGEST_CAPTION), fontweight="bold"
    )
    for line, (run, ranked) in enumerate(query.lists.items()):
        above = start + line * page.row
        score = f" · AP {100 * query.precisions[run]:.1f} %"
        words = shortened(run, int(page.list_width / _LETTER) - len(score)) + score
        page.text(figure, page.left, above - _LIFT, words, color=theme.ink)
        for hit in ranked.hits:
            left = page.left + (hit.rank - 1) * (page.cell[0] + _GAP)
            _draw_hit(figure, page, (left, above), gallery[hit.row], hit, theme)
        _draw_first(figure, page, above, ranked, gallery, theme)


def _draw_first(
    figure: Figure,
    page: _Page,
    above: float,
    ranked: RankList,
    gallery: Mapping[int, Picture],
    theme: Theme,
) -> None:
    """Say where the first true match stands, and show it if the list ends before it."""
    first = ranked.first
    if first.rank > page.top:
        page.text(figure, page.last, above - _LIFT, f"match at rank {first.rank}")
        _draw_hit(figure, page, (page.last, above), gallery[first.row], first, theme)
    else:
        middle = above + page.cell[1] / 2
        words = f"first match\nat rank {first.rank}"
        page.text(figure, page.last, middle, words, va="center", color=theme.ink)


def _draw_hit(
    figure: Figure,
    page: _Page,
    place: tuple[float, float],
    picture: Picture,
    hit: Hit,
    theme: Theme,
) -> None:
    """Draw a gallery image with its sign, and its similarity below."""
    axes = page.axes(figure, *place)
    middle, below = place[0] + page.cell[0] / 2, place[1] + page.cell[1] + _BELOW
    words = similarity(hit.similarity)
    page.text(figure, middle, below, words, ha="center", fontsize=6.5, color=theme.faint)
    axes.imshow(picture)
    _frame(axes, *_look(hit.match, theme))
    _badge(axes, 0.0, 1.0, hit.match, theme, transform=axes.transAxes)


def _look(match: bool, theme: Theme) -> tuple[str, float, Any]:
    """Return colour, width and stroke of a frame."""
    return (theme.hues[0], 2.2, "-") if match else (theme.hues[4], 1.4, (0, (3, 1.6)))


def _frame(axes: Any, colour: str, width: float, stroke: Any) -> None:
    for spine in axes.spines.values():
        spine.set(edgecolor=colour, linewidth=width, linestyle=stroke)


def _badge(axes: Any, x: float, y: float, match: bool, theme: Theme, **options: Any) -> None:
    """Draw a tick or a cross on a disc."""
    path = need("matplotlib.path").Path
    colour = _look(match, theme)[0]
    options |= {"linestyle": "", "clip_on": False, "zorder": 5}
    axes.plot(
        [x], [y], marker="o", markersize=9.5, markerfacecolor=theme.paper, markeredgecolor=colour,
        markeredgewidth=1.0, **options,
    )  # fmt: skip
    sign = path(_TICK) if match else path.make_compound_path(*(path(line) for line in _CROSS))
    axes.plot(
        [x], [y], marker=sign, markersize=5, markerfacecolor="none", markeredgecolor=colour,
        markeredgewidth=1.7, **options,
    )  # fmt: skip


def _draw_legend(figure: Figure, page: _Page, note: str, theme: Theme) -> None:
    axes = figure.add_axes((0, _NOTE / page.height, 1, _LEGEND / page.height))
    axes.set(xlim=(0, page.width), ylim=(0, _LEGEND))
    axes.set_axis_off()
    left, middle = _MARGIN + 0.1, page.height - _NOTE - _LEGEND / 2
    for match, words in ((True, "same identity"), (False, "another identity")):
        _badge(axes, left, _LEGEND / 2, match, theme)
        page.text(figure, left + 0.14, middle, words, va="center")
        left += 1.25
    if note:
        page.text(figure, _MARGIN, page.height - _NOTE + 0.05, note, color=theme.faint)
