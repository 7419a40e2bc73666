"""Scores are computed on a card as on the processor, and a block of queries waits for it once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fake_cuda import fake_cuda

from promptreid.evaluation import Embeddings, Expansion, Rerank, evaluate
from promptreid.evaluation.retrieval_settings import RetrievalSettings
from promptreid.evaluation.verification.accepted_pairs import count_accepted
from promptreid.evaluation.verification.identification import identify
from promptreid.evaluation.verification.verification import verify

BLOCK = 16


def images(count: int, seed: int) -> Embeddings:
    """Give images of 12 identities in 3 cameras, no two alike."""
    identities = np.arange(count) % 12
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(7).standard_normal((12, 24))
    vectors = centres[identities] + generator.standard_normal((count, 24))
    cameras = generator.integers(0, 3, count)
    return Embeddings.from_vectors(
        vectors, [f"p{number}" for number in identities], cameras=[f"c{n}" for n in cameras]
    )


def leaves(part: Any) -> list[Any]:
    """Return what is in lists and dictionaries, in order."""
    if isinstance(part, dict):
        part = list(part.values())
    if isinstance(part, list | tuple):
        return [leaf for one in part for leaf in leaves(one)]
    return [part]


def ranked(settings: RetrievalSettings) -> Callable[[Embeddings, Embeddings], Any]:
    return lambda query, gallery: evaluate(query, gallery, settings, block=BLOCK).values


def accepted(query: Embeddings, gallery: Embeddings) -> list[Any]:
    thresholds = [-np.inf, 0.1, 0.35, 0.6]
    found = count_accepted(query, gallery, thresholds, by="identity", block=BLOCK)
    tables = (found.true, found.false, found.genuine, found.impostors)
    return [found.names, *(table.tolist() for table in tables)]


WORK: dict[str, tuple[Callable[[Embeddings, Embeddings], Any], int]] = {
    "evaluate": (ranked(RetrievalSettings()), 1),
    "expand": (ranked(RetrievalSettings(expansion=Expansion(3))), 2),
    "rerank": (ranked(RetrievalSettings(rerank=Rerank(k1=5, k2=3))), 5),
    "verify": (lambda query, gallery: verify(query, gallery, block=BLOCK).to_dict(), 1),
    "accepted pairs": (accepted, 1),
    "identify": (lambda query, gallery: identify(query, gallery, block=BLOCK).to_dict(), 0),
}
"""What is computed, and how often it may wait in each block.

Ranking waits for the ranks alone. Expansion has to see whether equal neighbours were left out.
Re-ranking passes over the images four times before it ranks: for the same reason, twice to list
sparse rows, whose lengths depend on values, and to cut its work. Verification sees where the scores
around its thresholds lie.
"""


@pytest.mark.parametrize("name", WORK)
def test_scores_on_a_card_are_those_of_the_processor_and_blocks_seldom_wait(name: str) -> None:
    work, allowed = WORK[name]
    gallery = images(96, seed=1)
    waits = []
    for blocks in (4, 8):
        query = images(blocks * BLOCK, seed=2)
        expected = work(query, gallery)
        with fake_cuda() as card:
            there = query.to("cuda"), gallery.to("cuda")
            with card.watched() as watch:
                found = work(*there)
        for one, other in zip(leaves(found), leaves(expected), strict=True):
            assert one == (pytest.approx(other, rel=1e-5) if isinstance(other, float) else other)
        waits.append(watch)
    more = {line: count - waits[0].waits[line] for line, count in waits[1].waits.items()}
    each = {line: count / 4 for line, count in more.items() if count}
    assert sum(each.values()) <= allowed, each
