"""Queries of a data set, and what each run puts first for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from promptreid.evaluation.assessment import Assessment
from promptreid.evaluation.test_set import TestSet
from promptreid.figures.photographs import Picture
from promptreid.figures.rank_lists import RankList, rank_lists


@dataclass(frozen=True, eq=False)
class ShownQuery:
    """A query, and its list under each run.

    Attributes:
        identity: Name of the query's identity.
        camera: Name of the query's camera; empty where unknown.
        picture: The query's picture.
        lists: Rank lists by run; every query has the same runs in the same order.
        precisions: Average precision by run.
    """

    identity: str
    camera: str
    picture: Picture
    lists: Mapping[str, RankList]
    precisions: Mapping[str, float]


def show_queries(
    assessed: Mapping[str, Assessment],
    chosen: Sequence[int],
    *,
    top: int,
    picture: Callable[[int], Picture],
) -> tuple[ShownQuery, ...]:
    """Rank the gallery of the first repeat for some queries under every run.

    The queries are chosen by their positions in the repeat, and each has a match. `picture` reads
    the picture of a row of the test set.
    """
    test_set = next(iter(assessed.values())).test_set
    query_rows = test_set.protocol.repeats[0].query
    identities, cameras = test_set.identity_names(), test_set.camera_names()
    lists = {run: _lists(assessment, chosen, top) for run, assessment in assessed.items()}
    precisions = {
        run: assessment.scores.results[0].values["mAP"] for run, assessment in assessed.items()
    }
    return tuple(
        ShownQuery(
            identity=identities[row],
            camera=cameras[row],
            picture=picture(row),
            lists={name: ranked[place] for name, ranked in lists.items()},
            precisions={name: float(values[query]) for name, values in precisions.items()},
        )
        for place, query in enumerate(chosen)
        for row in [int(query_rows[query])]
    )


def gallery_rows(shown: Sequence[ShownQuery], test_set: TestSet) -> dict[int, int]:
    """Map gallery rows of all hits and all first matches to rows of the test set, in order."""
    rows = {
        hit.row
        for query in shown
        for ranked in query.lists.values()
        for hit in (*ranked.hits, ranked.first)
    }
    gallery = test_set.protocol.repeats[0].gallery
    return {row: int(gallery[row]) for row in sorted(rows)}


def _lists(assessment: Assessment, chosen: Sequence[int], top: int) -> tuple[RankList, ...]:
    repeat = assessment.test_set.protocol.repeats[0]
    return rank_lists(
        assessment.embeddings.select(repeat.query),
        assessment.embeddings.select(repeat.gallery),
        chosen,
        exclude_camera=assessment.camera_rule == "exclude",
        settings=assessment.settings,
        top=top,
    )
