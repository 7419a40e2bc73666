"""Evaluation: embeddings in, scores out.

Imports torch, but no model and no image library: those come with `embed` and `score_data`, which
are imported where they are used.
"""

from __future__ import annotations

from promptreid.evaluation.breakdown import Breakdown, break_down
from promptreid.evaluation.embeddings import Embeddings
from promptreid.evaluation.expansion import Expansion, expand
from promptreid.evaluation.identification import Identification, identify
from promptreid.evaluation.render import render_comparison, render_scores
from promptreid.evaluation.rerank import Rerank, rerank_blocks, rerank_distances
from promptreid.evaluation.scores import QueryResult, RepeatScores, Scores
from promptreid.evaluation.scoring import evaluate, evaluate_protocol
from promptreid.evaluation.threshold import Comparison, Threshold
from promptreid.evaluation.threshold_choice import choose_threshold
from promptreid.evaluation.uncertainty import (
    Difference,
    Evidence,
    Interval,
    Intervals,
    intervals,
    paired_difference,
)
from promptreid.evaluation.verification import Verification, verify, verify_protocol

__all__ = [
    "Breakdown",
    "Comparison",
    "Difference",
    "Embeddings",
    "Evidence",
    "Expansion",
    "Identification",
    "Interval",
    "Intervals",
    "QueryResult",
    "RepeatScores",
    "Rerank",
    "Scores",
    "Threshold",
    "Verification",
    "break_down",
    "choose_threshold",
    "evaluate",
    "evaluate_protocol",
    "expand",
    "identify",
    "intervals",
    "paired_difference",
    "render_comparison",
    "render_scores",
    "rerank_blocks",
    "rerank_distances",
    "verify",
    "verify_protocol",
]
