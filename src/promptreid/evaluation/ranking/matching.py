"""Which gallery images match a query, and which do not count for it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.transfer import send

# Why a query may have no match that counts.
REASONS = (
    "identity not in the gallery",
    "only in the query's own camera",
    "only the query's own image",
)


@dataclass(frozen=True, eq=False)
class Matches:
    """The gallery images that share the identity of each query of one block, on the CPU.

    Who matches follows from names alone, so nobody waits for a device to learn it.

    Attributes:
        index: (B, P) gallery rows, padded to the longest list of the block.
        match: (B, P) whether the image is a match that counts.
        own_camera: (B, P) whether it is ignored because query and image share the camera.
        own_image: (B, P) whether it is ignored because it is the query itself.
    """

    index: Tensor
    match: Tensor
    own_camera: Tensor
    own_image: Tensor

    @property
    def ignored(self) -> Tensor:
        """(B, P) whether the image is left out of the query's ranking."""
        return self.own_camera | self.own_image

    @property
    def reason(self) -> Tensor:
        """(B,) position in `REASONS` of why nothing matches, for the queries that match nothing."""
        by_camera = (self.own_camera & ~self.own_image).any(1)
        return torch.where(by_camera, 1, torch.where(self.own_image.any(1), 2, 0))


class MatchTable:
    """Gallery rows grouped by identity.

    The group of a query holds its matches and everything it may ignore, so nothing of size
    queries x gallery is compared or held.

    Args:
        query: The queries.
        gallery: The gallery.
        exclude_camera: Ignore gallery images of the query's identity and camera. An image whose
            camera is not known is never ignored by this rule.
        leave_one_out: Row i of both is the same image, which never answers itself.
    """

    def __init__(
        self,
        query: Embeddings,
        gallery: Embeddings,
        *,
        exclude_camera: bool,
        leave_one_out: bool = False,
    ) -> None:
        query_code, gallery_code = _number(query.identities, gallery.identities)
        order = np.argsort(gallery_code, kind="stable")
        # Queries whose identity is not in the gallery have code -1 and thereby the empty group.
        sizes = np.bincount(gallery_code + 1, minlength=1)
        starts = np.cumsum(sizes) - sizes
        self._order = torch.from_numpy(order)
        self._start = torch.from_numpy(starts[query_code + 1])
        self._size = torch.from_numpy(sizes[query_code + 1])
        query_camera, gallery_camera = _number(
            query.cameras or (None,) * len(query), gallery.cameras or (None,) * len(gallery)
        )
        self._query_camera = torch.from_numpy(query_camera)
        self._gallery_camera = torch.from_numpy(gallery_camera)
        self._exclude_camera = exclude_camera
        self._leave_one_out = leave_one_out

    def block(self, queries: slice) -> Matches:
        """List matches and ignored images of some queries."""
        start, size = self._start[queries, None], self._size[queries, None]
        width = max(1, int(size.max()))
        position = torch.arange(width)
        inside = position < size
        last = len(self._order) - 1
        index = self._order[(start + position).clamp_(max=last)]
        own_camera = own_image = torch.zeros_like(inside)
        if self._exclude_camera:
            camera = self._query_camera[queries, None]
            own_camera = (self._gallery_camera[index] == camera) & (camera >= 0) & inside
        if self._leave_one_out:
            image = torch.arange(len(self._start))[queries, None]
            own_image = (index == image) & inside
        match = inside & ~own_camera & ~own_image
        return Matches(index=index, match=match, own_camera=own_camera, own_image=own_image)


def set_pairs(similarity: Tensor, index: Tensor, chosen: Tensor, value: float) -> None:
    """Write a value for chosen pairs of query and gallery, without waiting for a device.

    Args:
        similarity: (B, G), changed in place.
        index: (B, P) gallery rows, on the CPU.
        chosen: (B, P) which of them, on the CPU.
        value: What they get.
    """
    rows, columns = chosen.nonzero()[:, 0], index[chosen]
    similarity[send(rows, similarity.device), send(columns, similarity.device)] = value


def _number(
    query: Sequence[Hashable], gallery: Sequence[Hashable]
) -> tuple[np.ndarray, np.ndarray]:
    """Number the gallery's values 0, 1, ...; -1 for None and for what only a query has."""
    distinct = dict.fromkeys(gallery)
    distinct.pop(None, None)
    numbers: dict[Hashable, int] = {value: number for number, value in enumerate(distinct)}
    numbers[None] = -1
    gallery_code = np.fromiter(map(numbers.__getitem__, gallery), np.int64, len(gallery))
    query_code = np.fromiter((numbers.get(value, -1) for value in query), np.int64, len(query))
    return query_code, gallery_code
