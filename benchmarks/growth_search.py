"""Scoring, verification, neighbours and re-ranking in galleries of rising size."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks.compare import Settings
from benchmarks.growth_work import Work
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.scoring import evaluate
from promptreid.evaluation.ranking.similarity import similarity_blocks
from promptreid.evaluation.reranking.nearest_neighbours import nearest_columns
from promptreid.evaluation.reranking.rerank import Rerank
from promptreid.evaluation.retrieval_settings import RetrievalSettings
from promptreid.evaluation.verification.verification import verify

_IMAGES = 20  # of each identity
_CAMERAS = 6
_NOISE = 2.2  # as in `benchmarks.features`
_NEIGHBOURS = 20
_PIECE = 65536  # rows drawn at a time


def search_work(settings: Settings) -> Iterator[Work]:
    """Search with 1,000 queries of 512 dimensions in galleries of up to a million images.

    Re-ranking compares all images with all and stops at a hundred thousand.
    """
    queries, width = (50, 32) if settings.quick else (1000, 512)
    sizes = (100, 1000) if settings.quick else (10**3, 10**4, 10**5, 10**6)
    largest_reranked = sizes[0] if settings.quick else 10**5
    query_rows = _draw(queries, width, seed=0, device=settings.device)
    gallery_rows = _draw(sizes[-1], width, seed=1, device=settings.device)
    for size in sizes:
        query, gallery = _embeddings(query_rows), _embeddings(gallery_rows[:size])
        products = 2.0 * queries * size * width
        yield Work(
            "neighbours", size, lambda q=query, g=gallery: _nearest(q.vectors, g.vectors), products
        )
        yield Work(
            "evaluate",
            size,
            lambda q=query, g=gallery: evaluate(q, g, RetrievalSettings(same_camera="exclude")),
            products,
        )
        yield Work(
            "verify",
            size,
            lambda q=query, g=gallery: verify(q, g, same_camera="exclude"),
            2 * products,
        )
        if size <= largest_reranked:
            yield Work(
                "rerank",
                size,
                lambda q=query, g=gallery: evaluate(
                    q, g, RetrievalSettings(same_camera="exclude", rerank=Rerank())
                ),
                2.0 * (queries + size) ** 2 * width + products,
            )


def product_rate(settings: Settings) -> float:
    """Measure the fastest float32 product of the library: multiplications and additions a second.

    Of 256 queries with 16,384 rows, whose values stay near the processor; the best of ten.
    """
    rows, columns, width = (64, 1024, 64) if settings.quick else (256, 16384, 512)
    query = _draw(rows, width, seed=2, device=settings.device)
    gallery = _draw(columns, width, seed=3, device=settings.device)
    best = float("inf")
    for _ in range(10):
        begun = time.perf_counter()
        for _, _values in similarity_blocks(query, gallery, block=rows):
            pass
        if settings.device.type == "cuda":
            torch.cuda.synchronize(settings.device)
        best = min(best, time.perf_counter() - begun)
    return 2.0 * rows * columns * width / best


def _nearest(query: Tensor, gallery: Tensor) -> Tensor:
    """Return the nearest gallery rows of each query."""
    parts = [
        nearest_columns(similarity, min(_NEIGHBOURS, len(gallery)))
        for _, similarity in similarity_blocks(query, gallery)
    ]
    return torch.cat(parts)


def _draw(count: int, width: int, *, seed: int, device: torch.device) -> Tensor:
    """Draw unit rows, row i of every draw around the direction of identity i // 20."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.empty(count, width)
    for start in range(0, count, _PIECE):
        part = rows[start : start + _PIECE]
        part.normal_(generator=generator).mul_(_NOISE / width**0.5)
        who = torch.arange(start, start + len(part)) // _IMAGES
        first = int(who[0])
        centres = [_centre(number, width) for number in range(first, int(who[-1]) + 1)]
        part += torch.stack(centres)[who - first]
        part /= part.norm(dim=1, keepdim=True)
    return rows.to(device)


def _centre(number: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(number)
    return torch.nn.functional.normalize(torch.randn(width, generator=generator), dim=0)


def _embeddings(rows: Tensor) -> Embeddings:
    names = [str(row // _IMAGES) for row in range(len(rows))]
    cameras = [str(row % _CAMERAS) for row in range(len(rows))]
    return Embeddings(rows, tuple(names), tuple(cameras))
