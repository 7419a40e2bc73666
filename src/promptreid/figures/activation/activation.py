"""Activation maps: a map over each image of where a model looks."""

from __future__ import annotations

import torch
from torch import Tensor

from promptreid.figures.activation.map_kinds import AUTO, ModelInput, find_kind, natural_kind
from promptreid.figures.activation.relevance_maps import even_share
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.image_tower import ImageTower

Share = tuple[float, float]


@torch.no_grad()
def activation_maps(model: ReIDModel, batch: ModelInput, kind: str = AUTO) -> dict[str, Tensor]:
    """Make maps over the images of a batch.

    Args:
        model: The model, in eval mode.
        batch: The images.
        kind: One of `KINDS`, or "auto" for `natural_kind`.

    Returns:
        Maps by title, (B, rows, columns) float32 on the CPU each: the relevance of each patch, 1
        being an even share.

    Raises:
        ConfigError: There is no such kind.
        ModelError: The model has not what this kind shows.
    """
    tower = model.backbone.image
    tower.check_images(batch.images)
    relevance = find_kind(natural_kind(model) if kind == AUTO else kind).compute(model, batch)
    return {
        title: even_share(values).unflatten(1, tower.grid).cpu()
        for title, values in relevance.items()
    }


def patch_shares(tower: ImageTower) -> tuple[Share, Share]:
    """Return how far patches lie apart and how large they are, as shares of height and width."""
    patch = tower.patch
    if not patch:  # cells of a map tile the image
        tiles = 1 / tower.grid[0], 1 / tower.grid[1]
        return tiles, tiles
    height, width = tower.image_size
    return (tower.stride / height, tower.stride / width), (patch / height, patch / width)
