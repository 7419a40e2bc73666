"""Score retrieval: every query against the gallery, by the rules of re-identification."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from promptreid.errors import EvaluationError, unknown_name
from promptreid.evaluation.embeddings import Embeddings
from promptreid.evaluation.expansion import Expansion, expand
from promptreid.evaluation.matching import Matches, MatchTable
from promptreid.evaluation.ranking import (
    average_precision,
    inverse_negative_penalty,
    match_ranks,
)
from promptreid.evaluation.rerank import Rerank, rerank_blocks
from promptreid.evaluation.scores import AP_DEFINITIONS, QueryResult, Scores, join_results
from promptreid.evaluation.similarity import similarity_blocks

if TYPE_CHECKING:
    from promptreid.data.protocol import Protocol

SAME_CAMERA = ("auto", "exclude", "keep")


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
            `promptreid.evaluation.ranking.average_precision`. Both are computed.
        protocol: Name for the scores.
        block: Queries per block; None picks a block of about 16 MiB. The scores do not depend on
            it.
        rerank: Re-rank by k-reciprocal neighbours first.
        expansion: Average queries and gallery with their neighbours before all else.

    Returns:
        The scores of one repeat.

    Raises:
        EvaluationError: An option is unknown, a set is empty, the dimensions differ, or no query
            has a match.
    """
    _check_options(same_camera, ap)
    rule, note = _camera_rule(same_camera, _cameras(query) + _cameras(gallery))
    how = _How(rule=rule, block=block, rerank=rerank, expansion=expansion)
    return _scores([_score(query, gallery, how)], how, protocol=protocol, ap=ap, note=note)


def evaluate_protocol(
    embeddings: Embeddings,
    protocol: Protocol,
    *,
    same_camera: str | None = None,
    ap: str | None = None,
    block: int | None = None,
    rerank: Rerank | None = None,
    expansion: Expansion | None = None,
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

    Returns:
        Means over the repeats, with their spread.

    Raises:
        EvaluationError: As for `evaluate`; or the protocol asks for rows that the embeddings do
            not have.
    """
    same_camera = protocol.same_camera if same_camera is None else same_camera
    ap = protocol.ap if ap is None else ap
    _check_options(same_camera, ap)
    # Decided once for all repeats, over the images that any of them uses.
    used = [rows for repeat in protocol.repeats for rows in (repeat.query, repeat.gallery)]
    rule, note = _camera_rule(
        same_camera, _cameras(embeddings.select(np.unique(np.concatenate(used))))
    )
    how = _How(rule=rule, block=block, rerank=rerank, expansion=expansion)
    results = [
        _score(embeddings.select(repeat.query), embeddings.select(repeat.gallery), how)
        for repeat in protocol.repeats
    ]
    note = " ".join(filter(None, (protocol.note, note)))
    return _scores(results, how, protocol=protocol.name, ap=ap, note=note)


@dataclass(frozen=True)
class _How:
    """How every repeat is ranked."""

    rule: str
    block: int | None
    rerank: Rerank | None
    expansion: Expansion | None


def _check_options(same_camera: str, ap: str) -> None:
    if same_camera not in SAME_CAMERA:
        raise EvaluationError(unknown_name("same-camera rule", same_camera, SAME_CAMERA))
    if ap not in AP_DEFINITIONS:
        raise EvaluationError(unknown_name("definition of average precision", ap, AP_DEFINITIONS))


def _cameras(embeddings: Embeddings) -> list[int | None]:
    return list(embeddings.cameras or (None,) * len(embeddings))


def _camera_rule(same_camera: str, cameras: list[int | None]) -> tuple[str, str]:
    """Decide whether the camera rule applies, and say what a reader should know about it."""
    missing = cameras.count(None)
    if same_camera == "keep" or not missing:
        return "exclude" if same_camera == "auto" else same_camera, ""
    if missing == len(cameras):
        return "keep", "No image has a camera, so the same-camera rule does not apply."
    some = f"The camera of {missing} of {len(cameras)} images is not known, so "
    if same_camera == "auto":
        return "keep", some + "the same-camera rule is off."
    return "exclude", some + "the same-camera rule does not apply to them."


def _score(query: Embeddings, gallery: Embeddings, how: _How) -> QueryResult:
    _check_comparable(query, gallery)
    leave_one_out = query is gallery
    device = query.vectors.device
    # Apple's GPUs have no float64, which the averages need.
    device = device if device.type in ("cpu", "cuda") else torch.device("cpu")
    query = query.to(device)
    gallery = query if leave_one_out else gallery.to(device)
    table = MatchTable(
        query, gallery, exclude_camera=how.rule == "exclude", leave_one_out=leave_one_out
    )
    result = join_results(
        [
            _score_block(similarity, table.block(queries))
            for queries, similarity in _blocks(query, gallery, how)
        ]
    )
    if not bool((result.matches > 0).any()):
        raise EvaluationError(_no_match_at_all(query, gallery, result))
    return result


def _check_comparable(query: Embeddings, gallery: Embeddings) -> None:
    for name, part in (("query", query), ("gallery", gallery)):
        if not len(part):
            raise EvaluationError(
                f"The {name} set is empty. Check how the data set is split into query and gallery."
            )
    if query.dim != gallery.dim:
        raise EvaluationError(
            f"The query vectors have {query.dim} dimensions, the gallery vectors {gallery.dim}. "
            "Both must come from the same model."
        )


def _blocks(query: Embeddings, gallery: Embeddings, how: _How) -> Iterator[tuple[slice, Tensor]]:
    """Stream (queries, similarity to the gallery) where larger is closer."""
    left = query.unit_vectors()
    right = left if query is gallery else gallery.unit_vectors()
    if how.expansion is not None:
        left, right = expand(left, right, how.expansion, block=how.block)
    if how.rerank is None:
        yield from similarity_blocks(left, right, block=how.block)
        return
    for queries, distance in rerank_blocks(left, right, how.rerank, block=how.block):
        yield queries, distance.neg_()


def _score_block(similarity: Tensor, matches: Matches) -> QueryResult:
    ignored = matches.ignored
    similarity[ignored.nonzero()[:, 0], matches.index[ignored]] = -torch.inf
    ranks = match_ranks(similarity, matches.index, matches.match).cpu()
    count = (ranks > 0).sum(1)
    step, trapezoid = average_precision(ranks)
    return QueryResult(
        matches=count,
        first_rank=ranks[:, 0],
        last_rank=ranks.amax(1),
        ap_step=step,
        ap_trapezoid=trapezoid,
        inp=inverse_negative_penalty(ranks),
        reason=matches.reason.cpu().masked_fill(count > 0, -1),
        gallery=similarity.shape[1],
    )


def _scores(results: list[QueryResult], how: _How, *, protocol: str, ap: str, note: str) -> Scores:
    return Scores(
        protocol=protocol,
        ap=ap,
        same_camera=how.rule,
        per_repeat=tuple(result.scores() for result in results),
        note=note,
        rerank=how.rerank,
        expansion=how.expansion,
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
