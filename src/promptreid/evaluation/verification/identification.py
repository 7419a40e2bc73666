"""Open-set identification: find the right identity, and none for who is not enrolled.

Every query is searched twice: in the whole gallery, and in the gallery without its own identity,
as someone who is not enrolled. A search gives an answer when its best score reaches the threshold.
A query whose identity the gallery lacks is searched once, as not enrolled.

* FPIR, false positive identification rate: share of the searches for who is not enrolled that give
  an answer.
* TPIR, true positive identification rate: share of the searches for who is enrolled whose identity
  is among the first `rank` images and reaches the threshold.

(Grother, Ngan, Hanaoka, "Face Recognition Vendor Test part 2: Identification", 2019, with the same
words; FNIR = 1 - TPIR.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from promptreid.errors import EvaluationError
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.multi_query import join_queries
from promptreid.evaluation.ranking.scoring_rules import camera_rule
from promptreid.evaluation.verification.float_order import next_above
from promptreid.evaluation.verification.pairs import Pairs
from promptreid.evaluation.verification.roc import allowed_accepts
from promptreid.evaluation.verification.verification import check_rates, mean_if_known
from promptreid.json_record import JsonRecord

FPIRS = (1e-1, 1e-2, 1e-3)


@dataclass(frozen=True)
class IdentificationPoint:
    """What a threshold for one false positive identification rate does.

    Attributes:
        fpir: The rate asked for.
        threshold: The lowest score that counts as an answer; None if `fpir` cannot be measured.
        tpir: True positive identification rate; None if `fpir` cannot be measured.
        false_answers: Searches for who is not enrolled that give an answer.
    """

    fpir: float
    threshold: float | None
    tpir: float | None
    false_answers: int


@dataclass(frozen=True)
class Identification(JsonRecord):
    """Open-set identification of one query set.

    Attributes:
        points: One for each rate asked for, in that order.
        rank: Up to which rank the right identity counts as found.
        enrolled: Searches for who is enrolled: queries with a match that counts.
        searches: Searches for who is not enrolled: all queries.
        same_camera: What was done with gallery images of the query's identity and camera.
        note: What a reader should know; may be empty.
    """

    points: tuple[IdentificationPoint, ...]
    rank: int
    enrolled: int
    searches: int
    same_camera: str
    note: str = ""

    def tpir(self, fpir: float) -> float | None:
        """Give TPIR at one of the rates asked for; None if it cannot be measured.

        Raises:
            EvaluationError: The rate was not asked for.
        """
        for point in self.points:
            if point.fpir == fpir:
                return point.tpir
        known = ", ".join(f"{point.fpir:g}" for point in self.points)
        raise EvaluationError(f"TPIR at FPIR {fpir:g} was not computed; there are {known}.")


def identify(
    query: Embeddings,
    gallery: Embeddings,
    *,
    fpirs: Sequence[float] = FPIRS,
    rank: int = 1,
    same_camera: str = "auto",
    multi_query: str | None = None,
    block: int | None = None,
) -> Identification:
    """Compute TPIR at given FPIR, exactly, one block of queries at a time.

    Args:
        query: The queries.
        gallery: The gallery, of the same dimension.
        fpirs: False positive identification rates, above 0 and below 1.
        rank: Up to which rank the right identity counts as found. An image of another identity
            with the same score comes first.
        same_camera: Whether gallery images of the query's identity and camera are ignored, in both
            searches, see `verify`.
        multi_query: Join queries first, see `promptreid.evaluation.ranking.multi_query`.
        block: Queries per block; None picks a block of about 16 MiB.

    Raises:
        EvaluationError: A rate or the rank is out of range, a set is empty, the dimensions differ,
            no query has a match, or some query has no image of another identity to mistake.
    """
    check_rates(fpirs)
    if rank < 1:
        raise EvaluationError(f"Ranks count from 1; got {rank}.")
    query = join_queries(query, multi_query)
    rule, note = camera_rule(same_camera, query, gallery)
    pairs = Pairs(query, gallery, exclude_camera=rule == "exclude", block=block)
    genuine, impostor, rank_of_match = _find_best_scores(pairs)
    enrolled = genuine > -torch.inf
    if not bool(enrolled.any()):
        raise EvaluationError(
            "No query has a match that counts, so no one is enrolled. Check how the data set is "
            'split, or evaluate with same_camera="keep".'
        )
    if not bool((impostor > -torch.inf).all()):
        raise EvaluationError(
            "Some query has no gallery image of another identity, so it cannot be mistaken. "
            "Identification needs a gallery of at least two identities."
        )
    identified = genuine[enrolled & (rank_of_match <= rank)].sort().values
    count = int(enrolled.sum())
    strangers = impostor.sort(descending=True).values
    points = tuple(_place_threshold(identified, count, strangers, fpir) for fpir in fpirs)
    return Identification(points, rank, count, len(strangers), rule, note)


def join_identifications(repeats: Sequence[Identification]) -> dict[str, Any]:
    """Give open-set identification of all repeats, JSON-ready: mean rates, then each repeat.

    A rate that some repeat cannot measure has no mean.
    """
    points = []
    for number, point in enumerate(repeats[0].points):
        mean = mean_if_known([repeat.points[number].tpir for repeat in repeats])
        points.append({"fpir": point.fpir, "tpir": mean})
    return {
        "rank": repeats[0].rank,
        "tpir": points,
        "per_repeat": [repeat.to_dict() for repeat in repeats],
    }


def _find_best_scores(pairs: Pairs) -> tuple[Tensor, Tensor, Tensor]:
    """Return each query's best genuine score, best impostor score and rank of the former, (Q,)."""
    parts = []
    for block in pairs:
        best = block.impostors.new_full((len(block.impostors),), -torch.inf)
        best.scatter_reduce_(0, block.owner, block.genuine, "amax")
        rank = 1 + (block.impostors >= best[:, None]).sum(1)
        parts.append((best, block.impostors.amax(1), rank))
    genuine, impostor, rank = (torch.cat(list(column)).cpu() for column in zip(*parts, strict=True))
    return genuine, impostor, rank


def _place_threshold(
    identified: Tensor, enrolled: int, strangers: Tensor, fpir: float
) -> IdentificationPoint:
    """Place one threshold; `identified` scores rise, those of `strangers` fall."""
    allowed = allowed_accepts(fpir, len(strangers))
    if not allowed:
        return IdentificationPoint(fpir, None, None, 0)
    refused = strangers[allowed]
    right = identified[identified > refused]
    answered = strangers[strangers > refused]
    scores = torch.cat([right, answered])
    threshold = float(scores.min()) if len(scores) else float(next_above(refused))
    return IdentificationPoint(fpir, threshold, len(right) / enrolled, len(answered))
