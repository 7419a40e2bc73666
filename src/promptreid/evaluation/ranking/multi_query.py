"""Several images of one identity as one query."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from promptreid.errors import EvaluationError, unknown_name
from promptreid.evaluation.embeddings.camera_names import CameraNames
from promptreid.evaluation.embeddings.embeddings import Embeddings

MULTI_QUERY = ("identity", "identity_camera")
"""`identity_camera` is the multi-query setting of Market-1501."""

_SHORTEST = 1e-6


def join_queries(queries: Embeddings, by: str) -> Embeddings:
    """Average the unit vectors of all queries of one identity, or of one identity and camera.

    The mean of each group is scaled to unit length. A group keeps its camera if all its images
    share it, otherwise its camera is not known, so that the same-camera rule does not apply to it.
    By identity and camera, an image whose camera is not known stays a query of its own: nobody
    knows which others share its camera.

    Args:
        queries: The single queries.
        by: One of `MULTI_QUERY`.

    Returns:
        One row per group, in the order in which groups first appear, with the path of its first
        image.

    Raises:
        EvaluationError: `by` is unknown, or the vectors of a group cancel out.
    """
    if by not in MULTI_QUERY:
        raise EvaluationError(unknown_name("way of joining queries", by, MULTI_QUERY))
    cameras = queries.cameras or (None,) * len(queries)
    keys = [
        (name, None) if by == "identity" else (name, row if camera is None else camera)
        for row, (name, camera) in enumerate(zip(queries.identities, cameras, strict=True))
    ]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    owner = torch.tensor([numbers[key] for key in keys], dtype=torch.int64)
    first = _first_rows(owner.tolist(), len(numbers))
    vectors = queries.unit_vectors()
    # The sum has the direction of the mean; float64 keeps it independent of the order.
    total = torch.zeros(len(numbers), queries.dim, dtype=torch.float64)
    total.index_add_(0, owner, vectors.cpu().double())
    lengths = total.norm(dim=1)
    if len(total) and float(lengths.min()) < _SHORTEST:
        name = queries.identities[first[int(lengths.argmin())]]
        raise EvaluationError(
            f"The query vectors of {name!r} cancel out, so they have no mean direction. Score "
            "single queries, or check the embeddings."
        )
    seen: list[set[str | None]] = [set() for _ in numbers]
    for number, camera in zip(owner.tolist(), cameras, strict=True):
        seen[number].add(camera)
    return Embeddings(
        vectors=F.normalize(total, dim=1).float().to(vectors.device),
        identities=tuple(queries.identities[row] for row in first),
        cameras=None
        if queries.cameras is None
        else CameraNames(next(iter(group)) if len(group) == 1 else None for group in seen),
        paths=tuple(queries.paths[row] for row in first) if queries.paths else (),
    )


def _first_rows(owner: list[int], groups: int) -> list[int]:
    """Return the first row of each group."""
    first: dict[int, int] = {}
    for row, number in enumerate(owner):
        first.setdefault(number, row)
    return [first[number] for number in range(groups)]
