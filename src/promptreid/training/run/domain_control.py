"""What a finished run's domain tokens say: its training images against texts, own and swapped."""

from __future__ import annotations

import numpy as np
import torch

from promptreid.data.images.image_store import ImageStore
from promptreid.data.splits.draws import generator, pick
from promptreid.inference.embedder import Embedder
from promptreid.inference.embedding_loop import SideRows
from promptreid.inference.text_controls.domain_texts import DomainTexts, compare_domain_texts
from promptreid.progress import Progress
from promptreid.training.run.training_data import TrainingData

IMAGES = 1000
"""At most of each domain, drawn by the run's seed."""


@torch.no_grad()
def score_domain_texts(
    embedder: Embedder,
    data: TrainingData | None,
    *,
    seed: int,
    batch_size: int = 64,
    progress: Progress,
) -> tuple[DomainTexts, ...]:
    """Match training images with texts of their own domain's tokens, and of other domains'.

    A domain enters neither the image tower nor the retrieval vector, so retrieval cannot depend on
    its tokens; what can are the texts that taught the tower. The seed is that of the drawn images
    and of the resamples.

    Returns:
        One entry for each domain; none where the prompt has no tokens of several domains, or
        nothing was learned.

    Raises:
        UnreadableImage: An image cannot be decoded.
    """
    prompt = embedder.model.identity_prompt
    if data is None or prompt is None or prompt.domain is None or len(prompt.domain) < 2:
        return ()
    drawn = _draw_rows(data, seed)
    size, interpolation = embedder.preprocess.image_size, embedder.preprocess.test_interpolation
    store = ImageStore([data.images[row] for row in drawn], size, interpolation, cache=False)
    sides = SideRows.of(data.cameras[drawn], data.views[drawn])
    images = torch.empty(len(drawn), embedder.model.backbone.image.widths[2])
    title = "matching training images with texts"
    for rows, pixels in embedder.batches(
        store, title=title, batch_size=batch_size, progress=progress
    ):
        cameras, views, _ = sides.at(rows, embedder.device)
        images[rows] = embedder.model.features(pixels, cameras, views).projected.float().cpu()
    return compare_domain_texts(
        prompt,
        images,
        torch.from_numpy(data.labels[drawn]),
        torch.from_numpy(data.variants[drawn]),
        data.domains,
        seed=seed,
    )


def _draw_rows(data: TrainingData, seed: int) -> np.ndarray:
    """Draw some training rows of each domain."""
    domains = data.class_domains[data.labels]
    rows: list[int] = []
    for number, name in enumerate(data.domains):
        within = np.flatnonzero(domains == number).tolist()
        rows += pick(within, IMAGES, generator(seed, "texts", name))
    return np.array(sorted(rows), dtype=np.int64)
