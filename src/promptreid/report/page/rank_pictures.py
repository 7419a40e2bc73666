"""Rank lists on a page: what they are called, and their pictures."""

from __future__ import annotations

from promptreid.report.content import RankSection
from promptreid.report.page.album import Album

TITLES = {
    "worst": "Worst queries",
    "median": "Queries around the median",
    "best": "Best queries",
    "random": "Random queries",
}


def section_title(section: RankSection) -> str:
    """Name a section; the median is that of the first run, which is named where there are several.

    Args:
        section: Queries and lists.
    """
    title = TITLES.get(section.which, section.which)
    runs = list(section.queries[0].lists)
    return f"{title} of {runs[0]}" if section.which == "median" and len(runs) > 1 else title


def store_pictures(section: RankSection, album: Album) -> None:
    """Store the pictures of rank lists, in the order in which the page shows them.

    Args:
        section: Queries and lists.
        album: Where the pictures go.
    """
    for query in section.queries:
        album.add(query.picture)
        for ranked in query.lists.values():
            late = [ranked.first] if ranked.first.rank > section.top else []
            for hit in (*ranked.hits, *late):
                album.add(section.gallery[hit.row])
