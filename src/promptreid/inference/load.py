"""Load a trained model for inference, from a run, a checkpoint or published weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from promptreid.inference.device import pick_device
from promptreid.inference.embedder import Embedder
from promptreid.inference.exporting.hub_folder import load_described
from promptreid.inference.published.published_file import read_published
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel
from promptreid.runs.run_folder import RunFolder

_PUBLISHED = (".pth", ".pt", ".bin")


def load(
    path: str | Path,
    device: str | torch.device | None = None,
    *,
    precision: str = "fp32",
    **published: Any,
) -> Embedder:
    """Load a trained model to embed images; that of `promptreid.load` searches and draws, too.

    Args:
        path: As for `read_weights`.
        device: Where it computes; None for CUDA or MPS where there is one, else the CPU.
        precision: Number type of the matrices, as for `promptreid.load`.
        published: What else `read_weights` takes, which published files leave open.

    Raises:
        WeightsError: As for `read_weights`, as is `RunError`.
        ConfigError: The device is not there, or the precision is unknown.
        ModelError: The architecture does not embed in 16 bits.
    """
    place = pick_device(None if device is None else str(device))
    model, info, checkpoint = read_weights(path, **published)
    return Embedder(model, info, device=place, precision=precision, source=checkpoint)


def read_weights(
    path: str | Path,
    *,
    image_size: tuple[int, int] | None = None,
    views: int = 0,
    coefficient: float | None = None,
) -> tuple[ReIDModel, CheckpointInfo, Path]:
    """Read a model from a run, a checkpoint or published weights, on the CPU.

    Args:
        path: A run folder (its best checkpoint, else its last), a promptreid checkpoint, a
            published `.pth` of CLIP-ReID, TransReID or SOLIDER, a folder that `save_pretrained`
            wrote, or an address on the Hugging Face Hub.
        image_size: Height and width that a published file was trained with.
        views: Number of views in its table of side information.
        coefficient: Factor on that table; None for that of the published configurations.

    Returns:
        The model, what is said of it, and the file that it was read from.

    Raises:
        WeightsError: There is no such file, or it is none that is read.
        RunError: The checkpoint in a run folder is another run's.
    """
    checkpoint = RunFolder.checkpoint_of(path)
    if checkpoint.suffix in _PUBLISHED:
        model, info = read_published(
            checkpoint, image_size=image_size, views=views, coefficient=coefficient
        )
    else:
        model, info = load_described(checkpoint)
        run = RunFolder.of(checkpoint)
        if run is not None:
            run.check_id(checkpoint, info.run or run.id)
    return model, info, checkpoint
