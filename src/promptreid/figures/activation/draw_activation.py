"""A figure of where runs look, made from the runs and a data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from promptreid.data.dataset import DataSet
from promptreid.data.images.transforms import normalize
from promptreid.data.load_data import load_data
from promptreid.data.manifest.manifest import Manifest
from promptreid.figures.activation.activation import activation_maps, patch_shares
from promptreid.figures.activation.map_kinds import AUTO, ModelInput
from promptreid.figures.activation.overlay import MapRow, activation_alt, activation_figure
from promptreid.figures.drawn import Drawn
from promptreid.figures.photographs import read_picture
from promptreid.figures.selection import pick_images
from promptreid.figures.style import LIGHT, Theme
from promptreid.inference.embed import open_images, side_rows
from promptreid.inference.embedder import Embedder

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
    """Make the maps of one run over images.

    Args:
        name: Name of the run.
        embedder: The run.
        manifest: The images.
        kinds: Kinds of maps, see `promptreid.figures.activation.map_kinds`.

    Raises:
        ConfigError: There is no such kind.
        ModelError: The model has not what a kind shows.
        UnreadableImage: An image cannot be decoded.
    """
    stride, patch = patch_shares(embedder.model.backbone.image)
    batch = model_input(embedder, manifest)
    return [
        MapRow(name, title, maps, stride, patch)
        for kind in kinds
        for title, maps in activation_maps(embedder.model, batch, kind).items()
    ]


def model_input(embedder: Embedder, manifest: Manifest) -> ModelInput:
    """Prepare all images of a manifest as for retrieval."""
    store = open_images(manifest, embedder.preprocess, cache=False)
    numbers = torch.arange(len(manifest))
    pixels = store.batch(numbers.numpy()).to(embedder.device)
    sides = side_rows(embedder, manifest).at(numbers, embedder.device)
    return ModelInput(normalize(pixels, embedder.preprocess), *sides)
