"""What `promptreid.evaluation` offers to those who score embeddings of their own."""

from __future__ import annotations

from promptreid.evaluation.assessment import Assessment
from promptreid.evaluation.embeddings.embedding_files import read_embeddings, write_embeddings
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.scores import QueryResult, RepeatScores, Scores
from promptreid.evaluation.ranking.scoring import evaluate, evaluate_protocol
from promptreid.evaluation.reranking.expansion import Expansion, expand
from promptreid.evaluation.reranking.rerank import Rerank, rerank_blocks, rerank_distances
from promptreid.evaluation.retrieval_settings import RetrievalSettings
from promptreid.evaluation.tables.retrieval_table import render_comparison, render_scores
from promptreid.evaluation.test_set import TestSet
from promptreid.evaluation.thresholds.threshold import PairComparison, Threshold
from promptreid.evaluation.thresholds.threshold_choice import choose_threshold
from promptreid.evaluation.uncertainty.breakdown import Breakdown
from promptreid.evaluation.uncertainty.intervals import (
    Difference,
    Evidence,
    Interval,
    Intervals,
    intervals,
    paired_difference,
)
from promptreid.evaluation.uncertainty.resampling import Bootstrap
from promptreid.evaluation.verification.identification import Identification, identify
from promptreid.evaluation.verification.verification import Verification, verify, verify_protocol

__all__ = [
    "Assessment",
    "Bootstrap",
    "Breakdown",
    "Difference",
    "Embeddings",
    "Evidence",
    "Expansion",
    "Identification",
    "Interval",
    "Intervals",
    "PairComparison",
    "QueryResult",
    "RepeatScores",
    "Rerank",
    "RetrievalSettings",
    "Scores",
    "TestSet",
    "Threshold",
    "Verification",
    "choose_threshold",
    "evaluate",
    "evaluate_protocol",
    "expand",
    "identify",
    "intervals",
    "paired_difference",
    "read_embeddings",
    "render_comparison",
    "render_scores",
    "rerank_blocks",
    "rerank_distances",
    "verify",
    "verify_protocol",
    "write_embeddings",
]
