"""Rank lists of the worst, the median and the best queries under all runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptreid.evaluation.assessment import Assessment
from promptreid.evaluation.ranking.scores import QueryResult
from promptreid.figures.photographs import Picture
from promptreid.figures.rank_lists import choose_queries
from promptreid.figures.shown_queries import gallery_rows, show_queries
from promptreid.pages.collect_data import Pictures
from promptreid.pages.collect_options import ReportOptions
from promptreid.pages.content import RankSection

SECTIONS = ("worst", "median", "best")
_LONGEST_SIDE = 120


def rank_sections(
    assessed: Mapping[str, Assessment], options: ReportOptions, pictures: Pictures
) -> tuple[RankSection, ...]:
    """Show queries of the first repeat, and what each run puts first for them.

    Queries are chosen by average precision: the worst and the best by its mean over the runs, those
    around the median by the first run. Identities differ as far as there are enough. No query is
    in two sections; where there are few, sections are short or missing.

    Raises:
        UnreadableImage: An image cannot be decoded.
    """
    first = next(iter(assessed.values()))
    results = [assessment.scores.results[0] for assessment in assessed.values()]
    chosen = _choose(results, options)
    every = tuple(query for queries in chosen.values() for query in queries)

    def picture(row: int) -> Picture:
        return pictures.read(row, _LONGEST_SIDE)

    shown = show_queries(assessed, every, top=options.top, picture=picture)
    by_query = dict(zip(every, shown, strict=True))
    cameras = first.test_set.camera_names()
    sections = []
    for which, queries in chosen.items():
        in_section = tuple(by_query[query] for query in queries)
        rows = gallery_rows(in_section, first.test_set)
        gallery = {row: picture(image) for row, image in rows.items()}
        seen_by = {row: cameras[image] for row, image in rows.items()}
        sections.append(RankSection(which, in_section, gallery, seen_by, options.top))
    return tuple(sections)


def _choose(
    results: Sequence[QueryResult], options: ReportOptions
) -> Mapping[str, tuple[int, ...]]:
    """Choose queries of each section, none twice; sections without any are left out."""
    taken: set[int] = set()
    chosen: dict[str, tuple[int, ...]] = {}
    for which in ("worst", "best", "median"):
        # More than are needed, so that enough remain once others' are gone.
        many = choose_queries(results, which, 3 * options.queries, seed=options.seed)
        free = [query for query in many if query not in taken]
        start = max(0, (len(free) - options.queries) // 2) if which == "median" else 0
        chosen[which] = tuple(free[start : start + options.queries])
        taken |= set(chosen[which])
    return {which: chosen[which] for which in SECTIONS if chosen[which]}
