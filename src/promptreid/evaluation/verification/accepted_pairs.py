"""How many pairs of each query, or of each identity's queries, given thresholds accept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from promptreid.errors import EvaluationError
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.counting import count_numbers, count_reaching
from promptreid.evaluation.ranking.multi_query import select_repeats
from promptreid.evaluation.ranking.scoring_rules import camera_rule, scoring_device
from promptreid.evaluation.verification.pairs import PairBlock, Pairs
from promptreid.transfer import send

if TYPE_CHECKING:
    from promptreid.data.protocol import Protocol
    from promptreid.evaluation.verification.verification import Verification


@dataclass(frozen=True, eq=False)
class AcceptedPairs:
    """Accepted pairs by row, which is a query or an identity. All tensors are on the CPU.

    Attributes:
        thresholds: (T,) float32, strictly rising; a pair is accepted from its threshold on.
        names: (R,) names of the identities that the rows stand for.
        true: (R, T) int64 numbers of accepted genuine pairs.
        false: (R, T) int64 numbers of accepted impostor pairs.
        genuine: (R,) int64 numbers of genuine pairs.
        impostors: (R,) int64 numbers of impostor pairs.
    """

    thresholds: Tensor
    names: tuple[str, ...]
    true: Tensor
    false: Tensor
    genuine: Tensor
    impostors: Tensor


def count_accepted(
    query: Embeddings,
    gallery: Embeddings,
    thresholds: Sequence[float] | Tensor,
    *,
    same_camera: str = "auto",
    by: str = "query",
    block: int | None = None,
) -> AcceptedPairs:
    """Count accepted pairs of each query or of each identity among the queries.

    Args:
        query: The queries.
        gallery: The gallery. The same object as `query` pairs each image with all others, both
            ways round.
        thresholds: T scores, in any order; each counts once.
        same_camera: Whether pairs of one identity and one camera count, see `verify`.
        by: "query" for a row per query, "identity" for a row per identity in the order in which
            they first appear.
        block: Queries per block; None picks a block of about 16 MiB.

    Raises:
        EvaluationError: There is no threshold or one is not a number, or as for `Pairs`.
    """
    cuts = torch.as_tensor(thresholds, dtype=torch.float32).reshape(-1).cpu()
    if not len(cuts) or bool(cuts.isnan().any()):
        raise EvaluationError("Counting accepted pairs needs at least one threshold, all numbers.")
    cuts = cuts.unique()
    rule, _ = camera_rule(same_camera, query, gallery)
    names = query.identities if by == "query" else tuple(dict.fromkeys(query.identities))
    if by == "query":
        rows = torch.arange(len(query))
    else:
        numbers = {name: number for number, name in enumerate(names)}
        rows = torch.tensor([numbers[name] for name in query.identities])
    true, false = (torch.zeros(len(names), len(cuts), dtype=torch.int64) for _ in range(2))
    genuine, impostors = (torch.zeros(len(names), dtype=torch.int64) for _ in range(2))
    there = send(cuts, scoring_device(query))
    for part in Pairs(query, gallery, exclude_camera=rule == "exclude", block=block):
        owners = rows[part.queries]
        # Fetched together, so that a block waits for the device once.
        counts = _count_block(part, there).cpu().split([len(cuts), len(cuts), 1, 1], dim=1)
        for total, count in zip((true, false, genuine, impostors), counts, strict=True):
            total.index_add_(0, owners, count.view(len(owners), *total.shape[1:]))
    return AcceptedPairs(cuts, names, true, false, genuine, impostors)


def _count_block(part: PairBlock, cuts: Tensor) -> Tensor:
    """Count pairs of each query by T thresholds, (B, 2T + 2) on the device of the block.

    Columns are accepted genuine pairs by threshold, accepted impostor pairs by threshold, and all
    pairs of both kinds.
    """
    count = len(part.impostors)
    # Bin b holds the scores that reach the first b thresholds and no more.
    bins = torch.searchsorted(cuts, part.genuine, right=True)
    width = len(cuts) + 1
    table = count_numbers(part.owner * width + bins, count * width).view(count, width)
    reaching = table.flip(1).cumsum(1).flip(1)
    impostors = (part.impostors > -torch.inf).sum(1, keepdim=True)
    # A threshold of minus infinity accepts the pairs, but not what is no pair.
    false = count_reaching(part.impostors, cuts.expand(count, -1)).minimum(impostors)
    return torch.cat([reaching[:, 1:], false, reaching[:, :1], impostors], dim=1)


def accepted_protocol(
    embeddings: Embeddings,
    protocol: Protocol,
    verification: Verification,
    *,
    by: str = "identity",
) -> tuple[AcceptedPairs, ...]:
    """Count accepted pairs in every repeat of a protocol, by the rules of a verification.

    Args:
        embeddings: The embeddings that were verified.
        protocol: The protocol by which they were verified.
        verification: Gives the camera rule, how queries are joined, and the thresholds: for
            identities those that stand for all, for queries those of its operating points.
        by: "query" for a row per query, "identity" for a row per identity.

    Raises:
        EvaluationError: As for `count_accepted`.
    """
    searches = select_repeats(embeddings, protocol, verification.multi_query)
    tables = []
    for (query, gallery), result in zip(searches, verification.per_repeat, strict=True):
        measured = [point.threshold for point in result.points if point.threshold is not None]
        cuts = [*measured, *(result.grid if by == "identity" else ())] or [result.eer_threshold]
        tables.append(
            count_accepted(query, gallery, cuts, same_camera=verification.same_camera, by=by)
        )
    return tuple(tables)
