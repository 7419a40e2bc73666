"""Several images of one identity as one query."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from promptreid.errors import EvaluationError, unknown_name
from promptreid.evaluation.embeddings.camera_names import CameraNames
from promptreid.evaluation.embeddings.embeddings import Embeddings

if TYPE_CHECKING:
    from promptreid.data.protocol import Protocol

MULTI_QUERY = ("identity", "identity_camera")
"""`identity_camera` is the multi-query setting of Market-1501."""

_SHORTEST = 1e-6


def select_repeats(
    embeddings: Embeddings, protocol: Protocol, multi_query: str | None
) -> Iterator[tuple[Embeddings, Embeddings]]:
    """Give queries, joined by `multi_query`, and gallery of each repeat of a protocol.

    Args:
        embeddings: One row per row that the protocol numbers.
        protocol: Query and gallery rows of each repeat.
        multi_query: One of `MULTI_QUERY`; None for single queries.
    """
    for repeat in protocol.repeats:
        query = join_queries(embeddings.select(repeat.query), multi_query)
        yield query, embeddings.select(repeat.gallery)


def join_queries(queries: Embeddings, by: str | None) -> Embeddings:
    """Average the unit vectors of all queries of one identity, or of one identity and camera.

    The mean of each group is scaled to unit length. A group keeps its camera if all its images
    share it, otherwise its camera is not known, so that the same-camera rule does not apply to it.
    By identity and camera, an image whose camera is not known stays a query of its own: nobody
    knows which others share its camera.

    Args:
        queries: The single queries.
        by: One of `MULTI_QUERY`; None leaves single queries as they are.

    Returns:
        One row per group, in the order in which groups first appear, with the path of its first
        image.

    Raises:
        EvaluationError: `by` is unknown, or the vectors of a group cancel out.
    """
    if by is None:
        return queries
    if by not in MULTI_QUERY:
        raise EvaluationError(unknown_name("way of joining queries", by, MULTI_QUERY))
    cameras = queries.cameras or (None,) * len(queries)
    rows_by_key: dict[tuple[str, object], list[int]] = {}
    for row, (name, camera) in enumerate(zip(queries.identities, cameras, strict=True)):
        key = (name, None) if by == "identity" else (name, row if camera is None else camera)
        rows_by_key.setdefault(key, []).append(row)
    groups = list(rows_by_key.values())
    first = [rows[0] for rows in groups]
    owner = torch.tensor(
        [number for number, rows in enumerate(groups) for _ in rows], dtype=torch.int64
    )
    vectors = queries.unit_vectors()
    # The sum has the direction of the mean; float64 keeps it independent of the order.
    total = torch.zeros(len(groups), queries.dim, dtype=torch.float64)
    total.index_add_(0, owner, vectors[[row for rows in groups for row in rows]].cpu().double())
    lengths = total.norm(dim=1)
    if len(total) and float(lengths.min()) < _SHORTEST:
        name = queries.identities[first[int(lengths.argmin())]]
        raise EvaluationError(
            f"The query vectors of {name!r} cancel out, so they have no mean direction. Score "
            "single queries, or check the embeddings."
        )
    group_cameras = [{cameras[row] for row in rows} for rows in groups]
    return Embeddings(
        vectors=F.normalize(total, dim=1).float().to(vectors.device),
        identities=tuple(queries.identities[row] for row in first),
        cameras=None
        if queries.cameras is None
        else CameraNames(names.pop() if len(names) == 1 else None for names in group_cameras),
        paths=tuple(queries.paths[row] for row in first) if queries.paths else (),
    )
