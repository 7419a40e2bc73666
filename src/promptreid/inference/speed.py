"""Measure how many images a second a model embeds, by the kind of its sentences."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from promptreid.data.images.image_store import ImageStore
from promptreid.data.images.transforms import normalize
from promptreid.inference.embedder import Embedder
from promptreid.inference.embedding_loop import BATCH_SIZE, SideRows, embed_images
from promptreid.json_record import JsonRecord

_BATCHES = 4
_SECONDS = 1.0
_ROUNDS = 50
_TOWER = ""


@dataclass(frozen=True)
class Speed(JsonRecord):
    """Images per second, of the model's computation alone.

    Attributes:
        images_per_second: Speed of the whole embedding.
        tower_images_per_second: Speed of the image tower alone, without sentence,
            interaction and head.
        batch_size: Images per forward pass.
        device: Where it was measured, such as "cpu" or "cuda".
    """

    images_per_second: float
    tower_images_per_second: float
    batch_size: int
    device: str

    @property
    def of_tower(self) -> float:
        """Speed as a share of the image tower's own."""
        return self.images_per_second / self.tower_images_per_second

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers, JSON-ready."""
        return {**super().to_dict(), "of_tower": self.of_tower}


@torch.no_grad()
def measure_speed(
    embedder: Embedder,
    store: ImageStore,
    *,
    prompts: Sequence[str],
    variants: Tensor | None = None,
    batch_size: int = BATCH_SIZE,
    flip: bool = False,
) -> dict[str, Speed]:
    """Time the embedding of images that are decoded and on the device already.

    Up to four batches, spread over the store, are embedded with each kind of sentence and by the
    image tower alone, in turns, so that whatever else the machine does meets all of them. One batch
    of each goes before, untimed; there texts without a word are computed, once. Then rounds follow
    until each has run for a second. The median batch counts. Bringing the vectors back to memory is
    included, reading images is not.

    Args:
        embedder: The model.
        store: Images resized with the test filter.
        prompts: Kinds of sentences, as in `ReIDModel.derived`.
        variants: (N,) sentences of an image prompt, row for row of the store.
        batch_size: Images per forward pass; fewer where the store is smaller.
        flip: Whether mirrored images are encoded, too, by the image tower alone as well.

    Returns:
        The speed for each kind.

    Raises:
        ConfigError: As `ReIDModel.derived`.
        UnreadableImage: An image cannot be decoded.
    """
    model = embedder.model
    size = min(batch_size, len(store))
    rows = np.linspace(0, len(store) - 1, min(_BATCHES, len(store) // size) * size).astype(np.int64)
    sides, batches = SideRows(variants=variants), []
    for part in rows.reshape(-1, size):
        images = normalize(store.batch(part).to(embedder.device), embedder.preprocess)
        *_, sentences = sides.at(torch.from_numpy(part), embedder.device)
        batches.append((images, sentences))

    def tower(images: Tensor, _: Tensor | None) -> Tensor:
        projected = model.backbone.image(images).projected
        return projected + model.backbone.image(images.flip(3)).projected if flip else projected

    def whole(prompt: str) -> Callable[[Tensor, Tensor | None], Tensor]:
        return lambda images, sentences: embed_images(
            model, images, variants=sentences, flip=flip, prompt=prompt
        )

    seconds = _median_seconds({_TOWER: tower, **{name: whole(name) for name in prompts}}, batches)
    return {
        name: Speed(size / seconds[name], size / seconds[_TOWER], size, embedder.device.type)
        for name in prompts
    }


def _median_seconds(
    runners: Mapping[str, Callable[[Tensor, Tensor | None], Tensor]],
    batches: Sequence[tuple[Tensor, Tensor | None]],
) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in runners}
    for run in runners.values():
        run(*batches[0]).cpu()
    for _ in range(_ROUNDS):
        for batch in batches:
            for name, run in runners.items():
                begun = time.perf_counter()
                run(*batch).cpu()  # waits for the device
                times[name].append(time.perf_counter() - begun)
        if all(sum(spent) >= _SECONDS for spent in times.values()):
            break
    return {name: statistics.median(spent) for name, spent in times.items()}
