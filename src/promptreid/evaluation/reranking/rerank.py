"""k-reciprocal re-ranking, exact and streamed.

Zhong, Zheng, Cao, Li: "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017,
in the form that the field's code shares. Over all n = Q + G images:

1. d(i, j) = |x_i - x_j|^2 / max_m |x_i - x_m|^2, the squared Euclidean distance of unit vectors
   divided by the largest of its row. N(i, k) are the k + 1 nearest images of i, i included.
2. R(i, k) = {j in N(i, k) : i in N(j, k)}, the k-reciprocal neighbours.
3. R*(i) = R(i, k1) joined with each R(j, k1 / 2), j in R(i, k1), of which more than two thirds lie
   in R(i, k1). k1 / 2 is rounded half to even.
4. v_i(j) = exp(-d(i, j)) / sum over R*(i) for j in R*(i), else 0.
5. v_i becomes the mean of v_j over the k2 nearest images j of i, i included.
6. s(i, j) = sum over c of min(v_i(c), v_j(c)); Jaccard distance J = 1 - s / (2 - s).
7. The result is (1 - lambda) J + lambda d.

Every step needs neighbours and a few weights per image only, so no n x n matrix exists: distances
are computed in blocks, weights are kept as sparse rows, and queries are streamed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from promptreid.errors import EvaluationError
from promptreid.evaluation.ranking.counting import count_numbers
from promptreid.evaluation.ranking.similarity import block_rows, similarity_blocks
from promptreid.evaluation.reranking.nearest_neighbours import Neighbours, nearest_neighbours
from promptreid.evaluation.reranking.reciprocal_neighbours import find_reciprocal, reciprocal_sets
from promptreid.evaluation.reranking.sparse import SparseRows, distinct
from promptreid.json_record import JsonRecord

# Entries of the inverted index that are looked at together: bounds the memory of step 6.
CHUNK_ENTRIES = 2**20
# Distances of unit vectors up to this are zero but for float32 rounding.
ZERO_DISTANCE = 1e-6


@dataclass(frozen=True)
class Rerank(JsonRecord):
    """Parameters of the re-ranking; the defaults are those of the paper.

    Attributes:
        k1: Neighbours that may be reciprocal, at least 1.
        k2: Neighbours whose weights are averaged, at least 1; 1 does not average.
        lam: Share of the original distance in the result, 0 to 1.

    Raises:
        EvaluationError: A parameter is out of range.
    """

    k1: int = 20
    k2: int = 6
    lam: float = 0.3

    def __post_init__(self) -> None:
        for name, value in (("k1", self.k1), ("k2", self.k2)):
            if not isinstance(value, int) or value < 1:
                raise EvaluationError(
                    f"Re-ranking needs {name} to be a whole number from 1; got {value!r}."
                )
        if not 0 <= self.lam <= 1:
            raise EvaluationError(f"Re-ranking needs lam to be within 0 to 1; got {self.lam!r}.")


def rerank_blocks(
    query: Tensor, gallery: Tensor, rerank: Rerank, *, block: int | None = None
) -> Iterator[tuple[slice, Tensor]]:
    """Stream re-ranked distances, one block of queries at a time.

    Args:
        query: (Q, D) float32 unit rows.
        gallery: (G, D) float32 unit rows on the same device. The same tensor as `query` stands for
            one set of n images, not for two copies of it.
        rerank: The parameters.
        block: Queries per block; None picks blocks of about 16 MiB.

    Yields:
        The queries of the block, and their (B, G) distances to the gallery: smaller is closer,
        0 to 1. The tensor may be changed in place.
    """
    vectors = gallery if query is gallery else torch.cat([query, gallery])
    near = nearest_neighbours(vectors, max(rerank.k1 + 1, rerank.k2), block=block)
    weights = _encode(vectors, near, rerank, block)
    inverted = _take_rows(weights, len(vectors) - len(gallery)).transposed(len(vectors))
    offsets = weights.offset.cpu()
    for rows, similarity in similarity_blocks(query, gallery, block=block):
        size = int(offsets[rows.stop] - offsets[rows.start])
        shared = _sum_shared(weights, inverted, rows, size, len(gallery))
        # In place, since a block is as large as all that a block of queries may need.
        distance = similarity.mul_(-2).add_(2).clamp_(min=0).div_(_divisor(near.farthest[rows]))
        jaccard = shared.div_(2 - shared).neg_().add_(1)
        yield rows, jaccard.lerp_(distance, rerank.lam)


def rerank_distances(
    query: Tensor, gallery: Tensor, *, k1: int = 20, k2: int = 6, lam: float = 0.3
) -> Tensor:
    """Give all re-ranked distances at once, for sets whose Q x G matrix fits in memory.

    Args:
        query: (Q, D) float32 unit rows.
        gallery: (G, D) float32 unit rows on the same device.
        k1: Neighbours that may be reciprocal, at least 1.
        k2: Neighbours whose weights are averaged, at least 1; 1 does not average.
        lam: Share of the original distance in the result, 0 to 1.

    Returns:
        (Q, G) float32 distances, smaller is closer.

    Raises:
        EvaluationError: A parameter is out of range.
    """
    result = query.new_empty(len(query), len(gallery))
    for rows, distance in rerank_blocks(query, gallery, Rerank(k1=k1, k2=k2, lam=lam)):
        result[rows] = distance
    return result


def _encode(vectors: Tensor, near: Neighbours, rerank: Rerank, block: int | None) -> SparseRows:
    """Compute the weights of every image, steps 2 to 5."""
    rows = block_rows(len(vectors), block)
    wide = near.index[:, : rerank.k1 + 1]
    # Python rounds half to even.
    narrow = near.index[:, : round(rerank.k1 / 2) + 1]
    wide_mutual, narrow_mutual = find_reciprocal(wide, rows), find_reciprocal(narrow, rows)
    parts = []
    for start in range(0, len(vectors), rows):
        part = slice(start, start + rows)
        row, column = reciprocal_sets(wide, wide_mutual, narrow, narrow_mutual, part)
        count = count_numbers(row, len(wide[part]))
        similarity = _compute_similarity(vectors, row + start, column)
        farthest = _divisor(near.farthest[part]).squeeze(1)[row]
        weight = torch.exp(-(2 - 2 * similarity).clamp_(min=0) / farthest)
        total = torch.zeros(len(count), device=row.device).index_add_(0, row, weight)
        parts.append((count, column.to(torch.int32), weight / total[row]))
    weights = SparseRows.join(parts)
    return weights if rerank.k2 == 1 else _average(weights, near.index[:, : rerank.k2], rows)


def _average(weights: SparseRows, index: Tensor, rows: int) -> SparseRows:
    """Average the weights of each image's nearest images, step 5."""
    count, width = index.shape
    sums = torch.zeros(rows * count, device=index.device)
    sizes = weights.offset.diff()[index].sum(1).cpu()
    parts = []
    for part, size in zip(index.split(rows), sizes.split(rows), strict=True):
        owner, place = weights.entries(part.reshape(-1), int(size.sum()))
        cell = owner.div_(width, rounding_mode="floor").mul_(count).add_(weights.column[place])
        sums.index_add_(0, cell, weights.value[place] / width)
        filled = distinct(cell)
        row, column = filled.div(count, rounding_mode="floor"), filled % count
        parts.append((count_numbers(row, len(part)), column.to(torch.int32), sums[filled]))
        sums[filled] = 0
    return SparseRows.join(parts)


def _sum_shared(
    weights: SparseRows, inverted: SparseRows, rows: slice, size: int, width: int
) -> Tensor:
    """Sum min(v_i(c), v_j(c)) over c to (B, G), visiting only where both are not 0, step 6.

    Args:
        weights: The rows v_i of all images.
        inverted: The columns of the gallery's rows v_j.
        rows: The queries B.
        size: Number of their entries in `weights`.
        width: Number of gallery images G.
    """
    device = weights.value.device
    count = rows.stop - rows.start
    shared = torch.zeros(count * width, device=device)
    owner, place = weights.entries(torch.arange(rows.start, rows.stop, device=device), size)
    column, value = weights.column[place].to(torch.int64), weights.value[place]
    # Fetched, since the host cuts the work: this is what a block waits for the device for.
    ends = (inverted.offset[column + 1] - inverted.offset[column]).cumsum(0).cpu()
    chunk = ends.div(CHUNK_ENTRIES, rounding_mode="floor")
    sizes = torch.unique_consecutive(chunk, return_counts=True)[1]
    totals = ends[sizes.cumsum(0) - 1].diff(prepend=ends.new_zeros(1)).tolist()
    cuts = sizes.tolist()
    for owners, columns, values, total in zip(
        owner.split(cuts), column.split(cuts), value.split(cuts), totals, strict=True
    ):
        entry, holder = inverted.entries(columns, total)
        cell = owners[entry].mul_(width).add_(inverted.column[holder])
        shared.index_add_(0, cell, torch.minimum(values[entry], inverted.value[holder]))
    return shared.view(count, width)


def _take_rows(weights: SparseRows, first: int) -> SparseRows:
    """Return the rows from one on."""
    start = weights.offset[first]
    return SparseRows(
        offset=weights.offset[first:] - start,
        column=weights.column[start:],
        value=weights.value[start:],
    )


def _compute_similarity(vectors: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Return the cosines of T pairs of rows."""
    chunk = max(1, CHUNK_ENTRIES * 4 // vectors.shape[1])
    parts = [
        (vectors[a] * vectors[b]).sum(1)
        for a, b in zip(left.split(chunk), right.split(chunk), strict=True)
    ]
    return torch.cat(parts)


def _divisor(farthest: Tensor) -> Tensor:
    """Return (B, 1) largest distances; 1 where all images are the same and every distance is 0."""
    return torch.where(farthest > ZERO_DISTANCE, farthest, 1.0)[:, None]
