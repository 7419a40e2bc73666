"""Queries of a data set, and what each run puts first for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from promptreid.evaluation.ranking.scores import QueryResult
from promptreid.evaluation.ranking.scoring_rules import protocol_rule
from promptreid.figures.photographs import Picture
from promptreid.figures.rank_lists import RankList, rank_lists
from promptreid.inference.trial import Trial, TrialRun


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


def first_repeat(trial: Trial) -> Trial:
    """Leave out all repeats of the protocol but the first, whose lists are shown."""
    return replace(trial, protocol=replace(trial.protocol, repeats=trial.protocol.repeats[:1]))


def show_queries(
    runs: Sequence[TrialRun],
    results: Sequence[QueryResult],
    trial: Trial,
    chosen: Sequence[int],
    *,
    top: int,
    picture: Callable[[int], Picture],
) -> tuple[ShownQuery, ...]:
    """Rank the gallery for some queries under every run.

    Args:
        runs: Embeddings of the test images.
        results: Outcome of the queries under each run.
        trial: The test images with one repeat, as `first_repeat` gives them.
        chosen: Positions of the queries in the repeat, each of which has a match.
        top: Length of the lists.
        picture: Reads the picture of a row of the test images.
    """
    repeat, ap = trial.protocol.repeats[0], trial.protocol.ap
    identities, cameras = trial.identity_names(), trial.camera_names()
    lists = {run.name: _lists(run, trial, chosen, top) for run in runs}
    precisions = {
        run.name: getattr(result, f"ap_{ap}") for run, result in zip(runs, results, strict=True)
    }
    shown = []
    for place, query in enumerate(chosen):
        row = int(repeat.query[query])
        shown.append(
            ShownQuery(
                identity=identities[row],
                camera=cameras[row],
                picture=picture(row),
                lists={name: ranked[place] for name, ranked in lists.items()},
                precisions={name: float(values[query]) for name, values in precisions.items()},
            )
        )
    return tuple(shown)


def gallery_rows(shown: Sequence[ShownQuery], trial: Trial) -> dict[int, int]:
    """Map gallery rows of all hits and all first matches to rows of the test images, in order."""
    rows = {
        hit.row
        for query in shown
        for ranked in query.lists.values()
        for hit in (*ranked.hits, ranked.first)
    }
    gallery = trial.protocol.repeats[0].gallery
    return {row: int(gallery[row]) for row in sorted(rows)}


def _lists(run: TrialRun, trial: Trial, chosen: Sequence[int], top: int) -> tuple[RankList, ...]:
    repeat = trial.protocol.repeats[0]
    rule, _ = protocol_rule(run.embeddings, trial.protocol, None)
    return rank_lists(
        run.embeddings.select(repeat.query),
        run.embeddings.select(repeat.gallery),
        chosen,
        exclude_camera=rule == "exclude",
        settings=run.settings,
        top=top,
    )
