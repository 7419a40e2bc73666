"""Score retrieval: every query against the gallery, by the rules of re-identification."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from promptreid.data.protocol import AP_DEFINITIONS
from promptreid.errors import EvaluationError, unknown_name
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.metrics import METRICS
from promptreid.evaluation.ranking.closeness import closeness_blocks
from promptreid.evaluation.ranking.matching import Matches, MatchTable, set_pairs
from promptreid.evaluation.ranking.multi_query import join_queries, select_repeats
from promptreid.evaluation.ranking.ranks import RankedMatches, match_ranks
from promptreid.evaluation.ranking.scores import QueryResult, Scores, join_results
from promptreid.evaluation.ranking.scoring_rules import (
    camera_rule,
    check_comparable,
    protocol_rule,
    scoring_device,
)
from promptreid.evaluation.retrieval_settings import PLAIN, RetrievalSettings

if TYPE_CHECKING:
    from promptreid.data.protocol import Protocol


def evaluate(
    query: Embeddings,
    gallery: Embeddings,
    settings: RetrievalSettings = PLAIN,
    *,
    ap: str = "step",
    protocol: str = "custom",
    block: int | None = None,
) -> Scores:
    """Score queries against a gallery by all metrics, such as CMC, mAP and mINP.

    Exact: the rank of a match is one plus the number of kept gallery images that are closer by
    cosine; equally close images count in the order of the gallery. Memory beyond the embeddings
    grows with one block of queries. Passing the same object twice scores each image against all
    others.

    The many arguments are the choices that a protocol and a recipe make for a user of Python.

    Args:
        query: The queries.
        gallery: The gallery, of the same dimension.
        settings: How the images are ranked. `same_camera` "exclude" ignores gallery images of the
            query's identity and camera (the rule of Market-1501), "keep" ranks them, "auto" or None
            excludes if every image has a camera. An image whose camera is not known is never
            ignored. Queries are joined first (`multi_query`), then queries and gallery are averaged
            with their neighbours (`expansion`), then re-ranked (`rerank`).
        ap: The definition of average precision that is called mAP, "step" or "trapezoid", see
            `promptreid.evaluation.metrics`. Both are computed.
        protocol: Name for the scores.
        block: Queries per block; None picks a block of about 16 MiB. The scores do not depend on
            it.

    Returns:
        The scores of one repeat.

    Raises:
        EvaluationError: An option is unknown, a set is empty, the dimensions differ, or no query
            has a match; or queries are joined although they are the gallery.

    Example:
        >>> from promptreid.evaluation import Embeddings
        >>> query = Embeddings.from_vectors([[1.0, 0.0], [0.0, 1.0]], ["anna", "ben"])
        >>> gallery = Embeddings.from_vectors([[2.0, 1.0], [3.0, 1.0]], ["anna", "ben"])
        >>> scores = evaluate(query, gallery)
        >>> scores.cmc[1], scores.mAP
        (0.0, 0.5)
    """
    _check_definition(ap)
    same_camera = "auto" if settings.same_camera is None else settings.same_camera
    rule, note = camera_rule(same_camera, query, gallery)
    ranking = _Ranking(settings, rule, ap, block)
    return ranking.scores([(query, gallery)], protocol=protocol, note=note)


def evaluate_protocol(
    embeddings: Embeddings,
    protocol: Protocol,
    settings: RetrievalSettings = PLAIN,
    *,
    ap: str | None = None,
) -> Scores:
    """Score a data set by its protocol; all repeats share the one set of embeddings.

    Args:
        embeddings: One row per manifest row, in the order of the manifest.
        protocol: Query and gallery rows of each repeat, the camera rule and the AP definition.
        settings: How the images are ranked, see `evaluate`; the protocol's camera rule holds where
            they name none.
        ap: Definition of average precision in place of the protocol's; None for that.

    Raises:
        EvaluationError: As for `evaluate`; or the protocol asks for rows that the embeddings do
            not have.
    """
    ap = protocol.ap if ap is None else ap
    _check_definition(ap)
    rule, note = protocol_rule(embeddings, protocol, settings.same_camera)
    ranking = _Ranking(settings, rule, ap)
    searches = select_repeats(embeddings, protocol, None)
    return ranking.scores(searches, protocol=protocol.name, note=note)


def _check_definition(ap: str) -> None:
    if ap not in AP_DEFINITIONS:
        raise EvaluationError(unknown_name("definition of average precision", ap, AP_DEFINITIONS))


@dataclass(frozen=True)
class _Ranking:
    """How every repeat is ranked and scored."""

    settings: RetrievalSettings
    rule: str
    ap: str
    block: int | None = None

    def scores(
        self, searches: Iterable[tuple[Embeddings, Embeddings]], *, protocol: str, note: str
    ) -> Scores:
        """Score queries against their gallery, once for each repeat."""
        results = tuple(self._rank_queries(query, gallery) for query, gallery in searches)
        return Scores(
            protocol=protocol,
            ap=self.ap,
            same_camera=self.rule,
            per_repeat=tuple(result.scores() for result in results),
            note=note,
            settings=self.settings,
            results=results,
        )

    def _rank_queries(self, query: Embeddings, gallery: Embeddings) -> QueryResult:
        """Rank the gallery for every query of one repeat."""
        check_comparable(query, gallery)
        leave_one_out = query is gallery
        if leave_one_out and self.settings.multi_query is not None:
            raise EvaluationError(
                "Queries that are the gallery themselves cannot be joined: each joined query "
                "would hold its own answers. Give queries and gallery of different images."
            )
        query = join_queries(query, self.settings.multi_query)
        device = scoring_device(query)
        query = query.to(device)
        gallery = query if leave_one_out else gallery.to(device)
        table = MatchTable(
            query, gallery, exclude_camera=self.rule == "exclude", leave_one_out=leave_one_out
        )
        blocks = closeness_blocks(query, gallery, self.settings, block=self.block)
        result = join_results(
            [_rank_block(values, table.block(queries), self.ap) for queries, values in blocks]
        )
        if not bool((result.matches > 0).any()):
            raise EvaluationError(_explain_no_match(query, gallery, result))
        return replace(result, identities=query.identities)


def _rank_block(similarity: Tensor, matches: Matches, ap: str) -> QueryResult:
    """Compute all metrics of a block of queries; the similarities are changed in place."""
    set_pairs(similarity, matches.index, matches.ignored, -torch.inf)
    ranks = match_ranks(similarity, matches.index, matches.match)
    ranked = RankedMatches(ranks, ap)
    without = ranked.count == 0
    return QueryResult(
        matches=ranked.count,
        first_rank=ranked.first,
        reason=matches.reason.masked_fill(~without, -1),
        values={
            name: metric.per_query(ranked).masked_fill(without, torch.nan)
            for name, metric in METRICS.items()
        },
        gallery=similarity.shape[1],
    )


def _explain_no_match(query: Embeddings, gallery: Embeddings, result: QueryResult) -> str:
    """Say why no query has a match that counts, and what may help."""
    reasons = result.reasons()
    counts = ", ".join(f"{count} {name}" for name, count in reasons.items())
    text = (
        f"None of the {len(query)} queries has a match that counts ({counts}), so no score exists."
    )
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
            f" Identities of queries are like {_name_examples(query)}, those of the gallery like "
            f"{_name_examples(gallery)}: a gallery of distractors only, or of another data set or "
            "split, can answer nothing. Check how identities are read from the file names."
        )
    if "only the query's own image" in reasons:
        text += " An image never answers itself: add further images of the identities."
    return text


def _name_examples(embeddings: Embeddings) -> str:
    return ", ".join(repr(name) for name in sorted(set(embeddings.identities))[:3])
