"""Choice of the queries to show, and the gallery images that a run puts first for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from promptreid.errors import ConfigError, EvaluationError, unknown_name
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.closeness import closeness_blocks
from promptreid.evaluation.ranking.matching import Matches, MatchTable
from promptreid.evaluation.ranking.scores import QueryResult
from promptreid.evaluation.ranking.scoring_rules import scoring_device
from promptreid.evaluation.retrieval_settings import RetrievalSettings
from promptreid.figures.selection import different_first

WHICH = ("worst", "best", "median", "random")


@dataclass(frozen=True)
class Hit:
    """A gallery image in a query's list.

    Attributes:
        row: Row of the gallery.
        rank: Rank from 1, without images that do not count for the query.
        match: Whether it shows the identity of the query.
        similarity: Its cosine with the query, also where lists are re-ranked.
    """

    row: int
    rank: int
    match: bool
    similarity: float


@dataclass(frozen=True)
class RankList:
    """What one run answers to one query.

    Attributes:
        hits: The closest gallery images, closest first.
        first: The closest image of the query's identity, wherever it stands.
    """

    hits: tuple[Hit, ...]
    first: Hit


def choose_queries(
    results: Sequence[QueryResult], which: str, count: int, *, seed: int = 0
) -> tuple[int, ...]:
    """Choose queries by average precision, by the definition of the protocol.

    The worst and the best are those of the mean over all runs. The median is that of the first run:
    a query in the middle of a mean need be in the middle of no run. Queries of different identities
    come before second ones of an identity, so that one hard person does not fill a figure. Queries
    without a match that counts are never chosen. Among equals the seed decides.

    Args:
        results: Outcome of the same queries under each run, the run of reference first.
        which: "worst" or "best", the worst or best first; "median" for those around the median,
            rising; "random" for any.
        count: How many; all there are when there are fewer.
        seed: Seed of the draw.

    Returns:
        Their positions among the queries.

    Raises:
        ConfigError: `which` is none of `WHICH`.
        EvaluationError: No query has a match.
    """
    if which not in WHICH:
        raise ConfigError(unknown_name("choice of queries", which, WHICH))
    counted = results[:1] if which == "median" else results
    values = torch.stack([result.values["mAP"] for result in counted]).mean(0).numpy()
    drawn = np.random.default_rng([seed, 0x0A11]).permutation(len(values))
    usable = drawn[np.isfinite(values[drawn])]
    if not len(usable):
        raise EvaluationError("No query has a match that counts, so there is no list to show.")
    order = usable if which == "random" else usable[np.argsort(values[usable], kind="stable")]
    if which == "best":
        order = order[::-1]
    if which == "median":
        away = np.abs(np.arange(len(order)) - (len(order) - 1) / 2)
        order = order[np.argsort(away, kind="stable")]
    chosen = different_first(order.tolist(), results[0].identities)[:count]
    if which == "median":
        chosen.sort(key=lambda query: values[query])
    return tuple(chosen)


def rank_lists(
    query: Embeddings,
    gallery: Embeddings,
    chosen: Sequence[int],
    *,
    exclude_camera: bool,
    settings: RetrievalSettings,
    top: int = 10,
) -> tuple[RankList, ...]:
    """Rank the gallery for some queries, as scoring does.

    Images of the query's identity and camera are left out where that is the rule. Memory grows with
    a block of queries.

    Args:
        query: All queries; re-ranking depends on all of them.
        gallery: The gallery.
        chosen: Positions of the wanted queries, each of which has a match.
        exclude_camera: Whether the same-camera rule applies.
        settings: Expansion and re-ranking; mirror images are already in the embeddings.
        top: Length of the lists.

    Returns:
        One list for each of `chosen`.
    """
    device = scoring_device(query)
    if settings.rerank is None:  # then a list depends on no other query
        query, chosen = query.select(list(chosen)), range(len(chosen))
    query, gallery = query.to(device), gallery.to(device)
    table = MatchTable(query, gallery, exclude_camera=exclude_camera)
    lists: dict[int, RankList] = {}
    for queries, values in closeness_blocks(query, gallery, settings):
        wanted = [number for number in chosen if queries.start <= number < queries.stop]
        if not wanted:
            continue
        matches = table.block(queries)
        for number in wanted:
            place, cosines = number - queries.start, gallery.vectors @ query.vectors[number]
            lists[number] = _ranked(values[place], cosines, matches, place, top)
    return tuple(lists[number] for number in chosen)


def _ranked(
    values: torch.Tensor, cosines: torch.Tensor, matches: Matches, place: int, top: int
) -> RankList:
    """Rank the gallery, (G,) close and (G,) similar, for the query at a place in a block."""
    index = matches.index[place]
    counts, match = torch.ones(len(values), dtype=torch.bool), torch.zeros(len(values)).bool()
    counts[index[matches.ignored[place]]] = False
    match[index[matches.match[place]]] = True
    cosines, rows = cosines.cpu(), values.sort(descending=True, stable=True).indices.cpu()
    rows = rows[counts[rows]]
    same = match[rows]
    first = int(same.nonzero()[0])

    def hit(place: int) -> Hit:
        row = int(rows[place])
        return Hit(row, place + 1, bool(same[place]), float(cosines[row]))

    return RankList(tuple(hit(place) for place in range(min(top, len(rows)))), hit(first))
