"""How close gallery images are to queries, once embeddings are expanded and lists re-ranked."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.similarity import similarity_blocks
from promptreid.evaluation.reranking.expansion import expand
from promptreid.evaluation.reranking.rerank import rerank_blocks
from promptreid.evaluation.retrieval_settings import PLAIN, RetrievalSettings


def closeness_blocks(
    query: Embeddings,
    gallery: Embeddings,
    settings: RetrievalSettings = PLAIN,
    *,
    block: int | None = None,
) -> Iterator[tuple[slice, Tensor]]:
    """Stream how close the gallery is to each query: the values that every ranking sorts.

    Args:
        query: The queries; the gallery itself to compare each image with all.
        gallery: The gallery, on the same device.
        settings: Whether both are averaged with their neighbours first, and then re-ranked.
        block: Queries per block; None picks a block of about 16 MiB.

    Yields:
        The queries of the block, and (B, G) values of which the larger is closer: cosines, or minus
        the distances of the re-ranking. They may be changed in place.
    """
    left = query.unit_vectors()
    right = left if query is gallery else gallery.unit_vectors()
    if settings.expansion is not None:
        left, right = expand(left, right, settings.expansion, block=block)
    if settings.rerank is None:
        yield from similarity_blocks(left, right, block=block)
        return
    for queries, distance in rerank_blocks(left, right, settings.rerank, block=block):
        yield queries, distance.neg_()
