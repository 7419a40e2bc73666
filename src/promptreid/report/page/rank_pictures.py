"""Rank lists with their pictures."""

from __future__ import annotations

from dataclasses import dataclass

from promptreid.figures.rank_lists import Hit
from promptreid.figures.shown_queries import ShownQuery
from promptreid.report.content import RankSection
from promptreid.report.page.album import Album, Shown
from promptreid.report.page.number_words import cosine, percent

TITLES = {
    "worst": "Worst queries",
    "median": "Queries around the median",
    "best": "Best queries",
    "random": "Random queries",
}


@dataclass(frozen=True)
class ShownHit:
    """A gallery image in a list.

    Attributes:
        picture: What it shows.
        rank: From 1.
        match: Whether it shows the identity of the query.
        similarity: Cosine with the query, written out.
        camera: Name of its camera; empty where unknown.
    """

    picture: Shown
    rank: int
    match: bool
    similarity: str
    camera: str


@dataclass(frozen=True)
class ShownList:
    """The list of one run.

    Attributes:
        name: Of the run.
        precision: Average precision, written out.
        hits: The closest first.
        first: Rank of the first match.
        late: The first match, where the list ends before it.
    """

    name: str
    precision: str
    hits: tuple[ShownHit, ...]
    first: int
    late: ShownHit | None


@dataclass(frozen=True)
class QueryLists:
    """A query and its lists."""

    identity: str
    camera: str
    picture: Shown
    lists: tuple[ShownList, ...]


@dataclass(frozen=True)
class ShownSection:
    """Queries of one choice."""

    title: str
    which: str
    queries: tuple[QueryLists, ...]


def shown_section(section: RankSection, album: Album) -> ShownSection:
    """Store the pictures of rank lists, and say what is on them."""
    title = TITLES.get(section.which, section.which)
    runs = list(section.queries[0].lists)
    return ShownSection(
        f"{title} of {runs[0]}" if section.which == "median" and len(runs) > 1 else title,
        section.which,
        tuple(_lists(query, section, album) for query in section.queries),
    )


def _lists(query: ShownQuery, section: RankSection, album: Album) -> QueryLists:
    def shown(hit: Hit) -> ShownHit:
        return ShownHit(
            album.add(section.gallery[hit.row]),
            hit.rank,
            hit.match,
            cosine(hit.similarity),
            section.cameras[hit.row],
        )

    return QueryLists(
        query.identity,
        query.camera,
        album.add(query.picture),
        tuple(
            ShownList(
                name=name,
                precision=percent(query.precisions[name]),
                hits=tuple(shown(hit) for hit in found.hits),
                first=found.first.rank,
                late=shown(found.first) if found.first.rank > section.top else None,
            )
            for name, found in query.lists.items()
        ),
    )
