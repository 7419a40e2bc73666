"""Query expansion: each vector is averaged with its nearest gallery images, by similarity.

Alpha query expansion (Radenovic et al., TPAMI 2019): with the k nearest gallery images g_1 ... g_k
of a query q and their cosine similarities s_1 ... s_k,

    q' = normalise(q + sum_k max(s_k, 0)^power g_k).

A power of 0 weighs all neighbours alike (Chum et al., ICCV 2007). The gallery is treated the same
way, each of its images by its neighbours among the others ("database augmentation", Turcot and
Lowe, 2009). Both sides read the vectors as they were before.

No identity, camera or other query is read: a query's result depends on itself and the gallery
alone, and the rule that leaves out images of the query's own camera acts afterwards, on the ranks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from promptreid.errors import EvaluationError
from promptreid.evaluation.ranking.similarity import similarity_blocks
from promptreid.evaluation.reranking.nearest_neighbours import nearest_columns
from promptreid.json_record import JsonRecord


@dataclass(frozen=True)
class Expansion(JsonRecord):
    """Parameters of the expansion.

    Attributes:
        neighbours: Gallery images averaged into each vector, at least 1.
        power: Power of the similarities that weigh them, at least 0; 0 for a plain average.

    Raises:
        EvaluationError: A parameter is out of range.
    """

    neighbours: int
    power: float = 3.0

    def __post_init__(self) -> None:
        count = self.neighbours
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise EvaluationError(
                f"Query expansion needs a whole number of neighbours from 1; got {count!r}."
            )
        if not 0 <= self.power < float("inf"):
            raise EvaluationError(
                f"Query expansion needs a power of 0 or more; got {self.power!r}."
            )


def expand(
    query: Tensor, gallery: Tensor, expansion: Expansion, *, block: int | None = None
) -> tuple[Tensor, Tensor]:
    """Expand queries and gallery; memory beyond the vectors is one block of queries.

    Args:
        query: (Q, D) float32 unit rows.
        gallery: (G, D) float32 unit rows on the same device. The same tensor as `query` stands for
            one set of n images, in which no image is its own neighbour.
        expansion: The parameters; at most all the gallery (or all others of it) is averaged.
        block: Queries per block, see `similarity_blocks`; the result does not depend on it.

    Returns:
        (Q, D) and (G, D) float32 unit rows; the same tensor twice if it was given twice.
    """
    wide = _expand(gallery, gallery, expansion, block, itself=True)
    if query is gallery:
        return wide, wide
    return _expand(query, gallery, expansion, block, itself=False), wide


def _expand(
    vectors: Tensor, gallery: Tensor, expansion: Expansion, block: int | None, *, itself: bool
) -> Tensor:
    """Average rows with their neighbours; `itself` says that both are one set."""
    count = min(expansion.neighbours, len(gallery) - itself)
    expanded = torch.empty_like(vectors)
    for rows, similarity in similarity_blocks(vectors, gallery, block=block):
        if itself:
            place = torch.arange(rows.start, rows.stop, device=similarity.device)
            similarity[place - rows.start, place] = -torch.inf
        columns = nearest_columns(similarity, count)
        near = similarity.gather(1, columns)
        # Neighbours on the far side count nothing whatever the power, so that no sum vanishes.
        weight = torch.where(near > 0, near.clamp(min=0) ** expansion.power, 0.0)
        total = vectors[rows].clone()
        for rank in range(count):  # rank by rank: sums do not depend on the size of the block
            total.addcmul_(weight[:, rank : rank + 1], gallery[columns[:, rank]])
        expanded[rows] = torch.nn.functional.normalize(total, dim=1)
    return expanded
