"""Embeddings with the shape of a retrieval benchmark, drawn at random."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.compare import Settings
from promptreid.data.manifest.name_order import number_names
from promptreid.evaluation.embeddings.embeddings import Embeddings

_NOISE = 2.2  # of unit centres: the first rank is then mostly right and the last match far down


def market_like(settings: Settings) -> tuple[Embeddings, Embeddings]:
    """Draw query and gallery of the size of Market-1501: 3,368 and 15,913 of 512 dimensions.

    Images of 750 people by 6 cameras, each a common direction and noise of its own; a sixth of the
    gallery are distractors without a match.
    """
    queries, images, people, width = (
        (60, 400, 20, 32) if settings.quick else (3368, 15913, 750, 512)
    )
    generator = torch.Generator().manual_seed(0)
    distractors = images // 6
    centres = torch.nn.functional.normalize(torch.randn(people, width, generator=generator), dim=1)

    def draw(count: int, *, strangers: int) -> Embeddings:
        who = torch.arange(count - strangers) % people
        noise = torch.randn(count, width, generator=generator) * (_NOISE / width**0.5)
        noise[: len(who)] += centres[who]
        names = [str(number) for number in who.tolist()] + ["distractor"] * strangers
        cameras = torch.randint(6, (count,), generator=generator).tolist()
        return Embeddings.from_vectors(noise, names, cameras=cameras)

    return draw(queries, strangers=0), draw(images, strangers=distractors)


def camera_numbers(query: Embeddings, gallery: Embeddings) -> tuple[np.ndarray, np.ndarray]:
    """Number the cameras of both alike, so that the plain way does not compare texts."""
    both = number_names([*(query.cameras or ()), *(gallery.cameras or ())])
    return both[: len(query)], both[len(query) :]
