"""What a threshold that came with a model does on test pairs."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.multi_query import select_repeats
from promptreid.evaluation.ranking.scoring_rules import protocol_rule
from promptreid.evaluation.thresholds.threshold import Threshold
from promptreid.evaluation.verification.pairs import Pairs
from promptreid.json_record import JsonRecord

if TYPE_CHECKING:
    from promptreid.data.protocol import Protocol


@dataclass(frozen=True)
class ThresholdRates(JsonRecord):
    """Rates of one threshold over all test pairs, the mean over a protocol's repeats.

    Attributes:
        chosen: The threshold and what it was chosen on.
        far: Share of the pairs of different identities that it accepts.
        tar: Share of the pairs of one identity that it accepts.
        note: How these embeddings are others than those it was chosen on; may be empty.
    """

    chosen: Threshold
    far: float
    tar: float
    note: str = ""


def threshold_rates(
    embeddings: Embeddings,
    protocol: Protocol,
    threshold: Threshold,
    *,
    same_camera: str | None = None,
    multi_query: str | None = None,
    note: str = "",
) -> ThresholdRates:
    """Count what a threshold accepts among the pairs of query and gallery that count.

    Args:
        embeddings: One row per row that the protocol numbers.
        protocol: Query and gallery rows of each repeat, and the camera rule.
        threshold: The threshold that came with the model.
        same_camera: "exclude", "keep" or "auto" in place of the protocol's rule; None for that.
        multi_query: How queries are joined first, see `verify`.
        note: How the embeddings differ from those of `Embedder.embed`, in a sentence.

    Raises:
        EvaluationError: As for `verify_protocol`.
    """
    rule, _ = protocol_rule(embeddings, protocol, same_camera)
    searches = select_repeats(embeddings, protocol, multi_query)
    rates = [_measure(query, gallery, threshold.threshold, rule) for query, gallery in searches]
    false, true = zip(*rates, strict=True)
    return ThresholdRates(threshold, statistics.fmean(false), statistics.fmean(true), note)


def _measure(
    query: Embeddings, gallery: Embeddings, threshold: float, rule: str
) -> tuple[float, float]:
    """Return FAR and TAR of one repeat."""
    accepted, counted = torch.zeros(2, dtype=torch.int64), torch.zeros(2, dtype=torch.int64)
    for block in Pairs(query, gallery, exclude_camera=rule == "exclude"):
        for kind, scores in enumerate((block.impostors, block.genuine)):
            accepted[kind] += int((scores >= threshold).sum())
            counted[kind] += int((scores > -torch.inf).sum())
    far, tar = (accepted.double() / counted.clamp(min=1)).tolist()
    return far, tar
