"""Scores of pairs of images of the same identity and of different ones, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.matching import MatchTable, set_pairs
from promptreid.evaluation.ranking.scoring_rules import check_comparable, scoring_device
from promptreid.evaluation.ranking.similarity import similarity_blocks
from promptreid.transfer import send


@dataclass(frozen=True, eq=False)
class PairBlock:
    """The pairs of some queries with the whole gallery.

    Attributes:
        queries: Which queries, B of them.
        genuine: (P,) cosines of the pairs of one identity.
        owner: (P,) query of each of them, counted from the first of the block.
        impostors: (B, G) cosines of the pairs of different identities, minus infinity elsewhere.
    """

    queries: slice
    genuine: Tensor
    owner: Tensor
    impostors: Tensor


class Pairs:
    """All pairs of query and gallery that count, in blocks of queries.

    Passing the same object twice pairs each image with all others.

    Args:
        query: The queries.
        gallery: The gallery, of the same dimension.
        exclude_camera: Leave out pairs of one identity and one camera, as the ranking does.
        once: With one object, give each unordered pair once instead of twice.
        block: Queries per block; None picks a block of about 16 MiB.

    Raises:
        EvaluationError: A set is empty, or the dimensions differ.
    """

    def __init__(
        self,
        query: Embeddings,
        gallery: Embeddings,
        *,
        exclude_camera: bool,
        once: bool = False,
        block: int | None = None,
    ) -> None:
        check_comparable(query, gallery)
        device = scoring_device(query)
        alone = query is gallery
        query = query.to(device)
        gallery = query if alone else gallery.to(device)
        self._table = MatchTable(query, gallery, exclude_camera=exclude_camera, leave_one_out=alone)
        self._query = query.unit_vectors()
        self._gallery = self._query if alone else gallery.unit_vectors()
        self._once = alone and once
        self._block = block

    def __iter__(self) -> Iterator[PairBlock]:
        device = self._gallery.device
        columns = torch.arange(len(self._gallery), device=device)
        for queries, scores in similarity_blocks(self._query, self._gallery, block=self._block):
            matches = self._table.block(queries)
            match = matches.match
            rows = columns[queries, None] if self._once else None
            if rows is not None:
                match = match & (matches.index > torch.arange(queries.start, queries.stop)[:, None])
            owner = send(match.nonzero()[:, 0], device)
            genuine = scores[owner, send(matches.index[match], device)]
            for pairs in (matches.match, matches.ignored):
                set_pairs(scores, matches.index, pairs, -torch.inf)
            if rows is not None:
                scores.masked_fill_(columns < rows, -torch.inf)
            yield PairBlock(queries=queries, genuine=genuine, owner=owner, impostors=scores)
