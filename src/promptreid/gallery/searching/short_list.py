"""Re-ranking of the entries that are most alike, by whom they are alike to themselves."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from promptreid.evaluation.reranking.rerank import rerank_distances
from promptreid.gallery.searching.indexes.vector_index import Index, Nearest


def rerank_nearest(index: Index, queries: NDArray[np.float32], near: Nearest) -> Nearest:
    """Put the nearest entries of each query into the order of k-reciprocal re-ranking.

    The distances are those of Zhong et al., Re-ranking Person Re-identification with k-reciprocal
    Encoding, CVPR 2017, computed among the query and the entries that are listed for it.

    Args:
        index: Where their vectors are.
        queries: (Q, d) of length 1.
        near: The entries; scores stay cosines.
    """
    rows, scores = near.rows.copy(), near.scores.copy()
    for place, query in enumerate(queries):
        listed = np.flatnonzero(near.rows[place] >= 0)
        if len(listed) < 2:
            continue
        vectors = torch.from_numpy(index.vectors(near.rows[place][listed]))
        distances = rerank_distances(torch.from_numpy(query[None].copy()), vectors)[0]
        order = listed[np.argsort(distances.numpy(), kind="stable")]
        rows[place][: len(listed)] = near.rows[place][order]
        scores[place][: len(listed)] = near.scores[place][order]
    return Nearest(rows, scores)
