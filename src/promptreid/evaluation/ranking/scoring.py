"""Score retrieval: every query against the gallery, by the rules of re-identification."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from promptreid.data.protocol import AP_DEFINITIONS
from promptreid.errors import EvaluationError, unknown_name
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.metrics import METRICS
from promptreid.evaluation.ranking.closeness import closeness_blocks
from promptreid.evaluation.ranking.matching import Matches, MatchTable
from promptreid.evaluation.ranking.multi_query import join_queries
from promptreid.evaluation.ranking.ranks import RankedMatches, match_ranks
from promptreid.evaluation.ranking.scores import QueryResult, Scores, join_results
from promptreid.evaluation.ranking.scoring_rules import (
    camera_rule,
    check_comparable,
    protocol_rule,
    scoring_device,
)
from promptreid.evaluation.reranking.expansion import Expansion
from promptreid.evaluation.reranking.rerank import Rerank

if TYPE_CHECKING:
    from promptreid.data.protocol import Protocol


def evaluate(
    query: Embeddings,
    gallery: Embeddings,
    *,
    same_camera: str = "auto",
    ap: str = "step",
    protocol: str = "custom",
    block: int | None = None,
    rerank: Rerank | None = None,
    expansion: Expansion | None = None,
    multi_query: str | None = None,
) -> Scores:
    """Score queries against a gallery: CMC, mAP and mINP.

    Exact: the rank of a match is one plus the number of kept gallery images that are closer by
    cosine; equally close images count in the order of the gallery. Memory beyond the embeddings
    grows with one block of queries. Passing the same object twice scores each image against all
    others.

    Args:
        query: The queries.
        gallery: The gallery, of the same dimension.
        same_camera: "exclude" ignores gallery images of the query's identity and camera (the rule
            of Market-1501), "keep" ranks them, "auto" excludes if every image has a camera. An
            image whose camera is not known is never ignored.
        ap: The definition of average precision that is called mAP, "step" or "trapezoid", see
            `promptreid.evaluation.metrics`. Both are computed.
        protocol: Name for the scores.
        block: Queries per block; None picks a block of about 16 MiB. The scores do not depend on
            it.
        rerank: Re-rank by k-reciprocal neighbours first.
        expansion: Average queries and gallery with their neighbours before re-ranking.
        multi_query: "identity" or "identity_camera" first joins all queries of one identity, or of
            one identity and camera, into one, see `promptreid.evaluation.ranking.multi_query`.

    Returns:
        The scores of one repeat.

    Raises:
        EvaluationError: An option is unknown, a set is empty, the dimensions differ, or no query
            has a match; or queries are joined although they are the gallery.
    """
    _check_definition(ap)
    rule, note = camera_rule(same_camera, query, gallery)
    how = _How(ap, rule, block, rerank, expansion, multi_query)
    return _scores([_score(query, gallery, how)], how, protocol=protocol, note=note)


def evaluate_protocol(
    embeddings: Embeddings,
    protocol: Protocol,
    *,
    same_camera: str | None = None,
    ap: str | None = None,
    block: int | None = None,
    rerank: Rerank | None = None,
    expansion: Expansion | None = None,
    multi_query: str | None = None,
) -> Scores:
    """Score a data set by its protocol; all repeats share the one set of embeddings.

    Args:
        embeddings: One row per manifest row, in the order of the manifest.
        protocol: Query and gallery rows of each repeat, the camera rule and the AP definition.
        same_camera: As in `evaluate`, instead of the protocol's rule.
        ap: As in `evaluate`, instead of the protocol's definition.
        block: As in `evaluate`.
        rerank: As in `evaluate`.
        expansion: As in `evaluate`.
        multi_query: As in `evaluate`.

    Returns:
        Means over the repeats, with their spread.

    Raises:
        EvaluationError: As for `evaluate`; or the protocol asks for rows that the embeddings do
            not have.
    """
    ap = protocol.ap if ap is None else ap
    _check_definition(ap)
    rule, note = protocol_rule(embeddings, protocol, same_camera)
    how = _How(ap, rule, block, rerank, expansion, multi_query)
    results = [
        _score(embeddings.select(repeat.query), embeddings.select(repeat.gallery), how)
        for repeat in protocol.repeats
    ]
    return _scores(results, how, protocol=protocol.name, note=note)


@dataclass(frozen=True)
class _How:
    """How every repeat is ranked."""

    ap: str
    rule: str
    block: int | None
    rerank: Rerank | None
    expansion: Expansion | None
    multi_query: str | None


def _check_definition(ap: str) -> None:
    if ap not in AP_DEFINITIONS:
        raise EvaluationError(unknown_name("definition of average precision", ap, AP_DEFINITIONS))


def _score(query: Embeddings, gallery: Embeddings, how: _How) -> QueryResult:
    check_comparable(query, gallery)
    leave_one_out = query is gallery
    if how.multi_query is not None:
        if leave_one_out:
            raise EvaluationError(
                "Queries that are the gallery themselves cannot be joined: each joined query "
                "would hold its own answers. Give queries and gallery of different images."
            )
        query = join_queries(query, how.multi_query)
    device = scoring_device(query)
    query = query.to(device)
    gallery = query if leave_one_out else gallery.to(device)
    table = MatchTable(
        query, gallery, exclude_camera=how.rule == "exclude", leave_one_out=leave_one_out
    )
    result = join_results(
        [
            _score_block(similarity, table.block(queries), how.ap)
            for queries, similarity in closeness_blocks(
                query, gallery, expansion=how.expansion, rerank=how.rerank, block=how.block
            )
        ]
    )
    if not bool((result.matches > 0).any()):
        raise EvaluationError(_no_match_at_all(query, gallery, result))
    return replace(result, identities=query.identities)


def _score_block(similarity: Tensor, matches: Matches, ap: str) -> QueryResult:
    ignored = matches.ignored
    similarity[ignored.nonzero()[:, 0], matches.index[ignored]] = -torch.inf
    ranks = match_ranks(similarity, matches.index, matches.match).cpu()
    ranked = RankedMatches(ranks, ap)
    without = ranked.count == 0
    return QueryResult(
        matches=ranked.count,
        first_rank=ranked.first,
        reason=matches.reason.cpu().masked_fill(~without, -1),
        values={
            name: metric.per_query(ranked).masked_fill(without, torch.nan)
            for name, metric in METRICS.items()
        },
        gallery=similarity.shape[1],
    )


def _scores(results: list[QueryResult], how: _How, *, protocol: str, note: str) -> Scores:
    return Scores(
        protocol=protocol,
        ap=how.ap,
        same_camera=how.rule,
        per_repeat=tuple(result.scores() for result in results),
        note=note,
        rerank=how.rerank,
        expansion=how.expansion,
        multi_query=how.multi_query,
        results=tuple(results),
    )


def _no_match_at_all(query: Embeddings, gallery: Embeddings, result: QueryResult) -> str:
    reasons = result.reasons()
    told = ", ".join(f"{count} {name}" for name, count in reasons.items())
    text = f"None of the {len(query)} queries has a match that counts ({told}), so no score exists."
    cameras = {camera for part in (query, gallery) for camera in part.cameras or ()} - {None}
    if "only in the query's own camera" in reasons:
        if len(cameras) == 1:
            text += f" All images come from one camera ({cameras.pop()})."
        text += (
            " Gallery images of the query's identity and camera are ignored by the rule of the "
            'protocol; evaluate with same_camera="keep" to rank them.'
        )
    if "identity not in the gallery" in reasons:
        text += (
            f" Identities of queries are like {_examples(query)}, those of the gallery like "
            f"{_examples(gallery)}: a gallery of distractors only, or of another data set or "
            "split, can answer nothing. Check how identities are read from the file names."
        )
    if "only the query's own image" in reasons:
        text += " An image never answers itself: add further images of the identities."
    return text


def _examples(embeddings: Embeddings) -> str:
    return ", ".join(repr(name) for name in sorted(set(embeddings.identities))[:3])
