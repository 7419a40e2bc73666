"""Evaluation: embeddings in, scores out.

Imports torch, but no model and no image library: those come with `embed` and `score_data`, which
are imported where they are used.
"""

from __future__ import annotations

from promptreid.evaluation.embeddings import Embeddings
from promptreid.evaluation.expansion import Expansion, expand
from promptreid.evaluation.render import render_comparison, render_scores
from promptreid.evaluation.rerank import Rerank, rerank_blocks, rerank_distances
from promptreid.evaluation.scores import QueryResult, RepeatScores, Scores
from promptreid.evaluation.scoring import evaluate, evaluate_protocol

__all__ = [
    "Embeddings",
    "Expansion",
    "QueryResult",
    "RepeatScores",
    "Rerank",
    "Scores",
    "evaluate",
    "evaluate_protocol",
    "expand",
    "render_comparison",
    "render_scores",
    "rerank_blocks",
    "rerank_distances",
]
