"""Activation maps, a map over each image of where a model looks, and a figure of those of runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from promptreid.data.dataset import DataSet
from promptreid.data.images.transforms import normalize
from promptreid.data.load_data import load_data
from promptreid.data.manifest.manifest import Manifest
from promptreid.figures.activation.map_kinds import AUTO, ModelInput, find_kind, natural_kind
from promptreid.figures.activation.overlay import MapRow, activation_alt, activation_figure
from promptreid.figures.activation.relevance_maps import even_share
from promptreid.figures.drawn import Drawn
from promptreid.figures.photographs import read_picture
from promptreid.figures.selection import pick_images
from promptreid.figures.style import LIGHT, Theme
from promptreid.inference.embed import find_side_rows, open_images
from promptreid.inference.embedder import Embedder
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.image_tower import ImageTower

_LONGEST_SIDE = 320


def draw_activation(
    runs: Iterable[tuple[str, Embedder]],
    dataset: DataSet | str,
    *,
    kinds: Sequence[str] = (AUTO,),
    images: int = 6,
    seed: int = 0,
    pixelate: bool = False,
    theme: Theme = LIGHT,
) -> Drawn:
    """Lay activation maps over test images.

    Args:
        runs: Names and models; they may be made one at a time, so that only one is in memory.
        dataset: A data set, or its spec.
        kinds: Kinds of maps, see `promptreid.figures.activation.map_kinds`.
        images: How many images.
        seed: Draws the images.
        pixelate: Show the pictures as coarse mosaics; models see them as they are.
        theme: Light or dark.

    Raises:
        ConfigError: Matplotlib is missing, or there is no such kind.
        ModelError: A model has not what a kind shows.
        DataError: An image cannot be read, or there is none.
    """
    dataset = load_data(dataset) if isinstance(dataset, str) else dataset
    selection = pick_images(dataset, images=images, seed=seed)
    manifest = selection.manifest
    rows = [row for name, model in runs for row in activation_rows(name, model, manifest, kinds)]
    pictures = [
        read_picture(manifest.image(row), longest=_LONGEST_SIDE, pixelate=pixelate)
        for row in range(len(manifest))
    ]
    captions = [selection.identities[group] for group in selection.groups]
    return Drawn(
        activation_figure(pictures, captions, rows, data=selection.manifest.name, theme=theme),
        activation_alt(captions, rows, manifest.name),
    )


def activation_rows(
    name: str, embedder: Embedder, manifest: Manifest, kinds: Sequence[str] = (AUTO,)
) -> list[MapRow]:
    """Make the maps of one run over images; raises as `draw_activation` does."""
    stride, patch = patch_shares(embedder.model.backbone.image)
    batch = model_input(embedder, manifest)
    return [
        MapRow(name, title, maps, stride, patch)
        for kind in kinds
        for title, maps in activation_maps(embedder.model, batch, kind).items()
    ]


@torch.no_grad()
def activation_maps(model: ReIDModel, batch: ModelInput, kind: str = AUTO) -> dict[str, Tensor]:
    """Make maps over the images of a batch, of one of `KINDS` or of the `natural_kind` ("auto").

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


def patch_shares(tower: ImageTower) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return how far patches lie apart and how large they are, as shares of height and width."""
    patch = tower.patch
    if not patch:  # cells of a map tile the image
        tiles = 1 / tower.grid[0], 1 / tower.grid[1]
        return tiles, tiles
    height, width = tower.image_size
    return (tower.stride / height, tower.stride / width), (patch / height, patch / width)


def model_input(embedder: Embedder, manifest: Manifest) -> ModelInput:
    """Prepare all images of a manifest as for retrieval."""
    store = open_images(manifest, embedder.preprocess, cache=False)
    numbers = torch.arange(len(manifest))
    pixels = store.batch(numbers.numpy()).to(embedder.device)
    sides = find_side_rows(embedder, manifest).at(numbers, embedder.device)
    return ModelInput(normalize(pixels, embedder.preprocess), *sides)
