"""The sections of a page, made ready for its template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from promptreid.evaluation.uncertainty.breakdown import Breakdown
from promptreid.pages.content import MapSection, RankSection, Test
from promptreid.pages.report_page.album import Album
from promptreid.pages.report_page.embedding_plane import Key, Plane, keys, planes
from promptreid.pages.report_page.score_cells import (
    ChangeTable,
    ScoreTable,
    breakdown_tables,
    change_table,
    identification_table,
    retrieval_table,
    verification_table,
    word_table,
)
from promptreid.pages.report_page.svg import figure_svg

FIGURES = {
    "cmc": "Queries answered within the first ranks (CMC)",
    "roc": "True accepts over false accepts (ROC)",
    "det": "False rejects over false accepts (DET)",
    "histogram": "Similarity of pairs of one identity and of different ones",
    "activation": "Where each run looks",
    "curves": "Loss, validation and learning rate by epoch",
}


@dataclass(frozen=True)
class ShownFigure:
    """A figure on the page.

    Attributes:
        key: Unique in the page.
        title: What it is.
        svg: The drawing.
        alt: What it shows, in words.
    """

    key: str
    title: str
    svg: str
    alt: str


@dataclass(frozen=True)
class ShownMap:
    """The maps of a data set and their legend."""

    planes: tuple[Plane, ...]
    keys: tuple[Key, ...]
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class ShownTest:
    """Everything on one data set, ready to be written.

    Attributes:
        key: Goes before the names of its parts.
        test: What it is made of.
        notes: What scores come with, each sentence once.
        tables: Scores of "retrieval", "verification", "identification" and exchanged "words"; None
            where there are none.
        changes: Paired differences, a table a run.
        figures: Figures by name.
        breakdowns: Breakdowns by attribute, then by run.
        cameras: Whether any image of the lists has a known camera.
        map: Maps of embeddings.
    """

    key: str
    test: Test
    notes: tuple[str, ...]
    tables: Mapping[str, ScoreTable | None]
    changes: tuple[ChangeTable, ...]
    figures: Mapping[str, ShownFigure]
    breakdowns: Mapping[str, Mapping[str, Breakdown]]
    cameras: bool
    map: ShownMap | None


def shown_test(test: Test, key: str, album: Album) -> ShownTest:
    """Make a data set's section ready, under a key that is unique in the page.

    Its pictures go into the album.
    """
    for section in test.ranks:
        _store_pictures(section, album)
    notes = [run.scores.note for run in test.runs]
    return ShownTest(
        key=key,
        test=test,
        notes=tuple(dict.fromkeys(note for note in notes if note)),
        tables={
            "retrieval": retrieval_table(test),
            "verification": verification_table(test),
            "identification": identification_table(test),
            "words": word_table(test),
        },
        changes=tuple(change_table(pair, test.runs[0].scores.ap) for pair in test.pairs),
        figures={
            name: ShownFigure(f"{key}-{name}", title, figure_svg(drawn, f"{key}-{name}"), drawn.alt)
            for name, title in FIGURES.items()
            if (drawn := test.figures.get(name)) is not None
        },
        breakdowns=breakdown_tables(test),
        cameras=any(name for section in test.ranks for name in section.cameras.values()),
        map=None if test.map is None else _shown_map(test.map, album),
    )


def _store_pictures(section: RankSection, album: Album) -> None:
    """Store the pictures of rank lists, in the order in which the page shows them."""
    for query in section.queries:
        album.add(query.picture)
        for ranked in query.lists.values():
            late = [ranked.first] if ranked.first.rank > section.top else []
            for hit in (*ranked.hits, *late):
                album.add(section.gallery[hit.row])


def _shown_map(section: MapSection, album: Album) -> ShownMap:
    drawn = planes(section, album)
    there = {point.kind for plane in drawn for point in plane.points}
    kinds = tuple(kind for kind in ("query", "gallery", "text") if kind in there)
    return ShownMap(drawn, keys(section), kinds)
