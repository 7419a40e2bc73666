"""Load a trained model for inference, from a run, a checkpoint or published weights."""

from __future__ import annotations

from pathlib import Path

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
    image_size: tuple[int, int] | None = None,
    views: int = 0,
    coefficient: float | None = None,
    precision: str = "fp32",
) -> Embedder:
    """Load a trained model for inference.

    Args:
        path: A run folder (its best checkpoint, else its last), a promptreid checkpoint, a
            published `.pth` of CLIP-ReID, TransReID or SOLIDER, a folder that `save_pretrained`
            wrote, or an address on the Hugging Face Hub, `hf:OWNER/NAME[@REVISION][:FILE]`.
        device: Where it computes; None for CUDA or MPS where there is one, else the CPU.
        image_size: Height and width a published `.pth` was trained with, where the file leaves it
            open.
        views: Number of views in a published `.pth`'s side-information table.
        coefficient: Factor on that table (`SIE_COE`), which the file does not hold; None for that
            of the published configurations, 1 of CLIP-ReID and 3 of TransReID.
        precision: "fp32"; "bf16" for embeddings that are computed several times as fast where it is
            native, and whose cosine to those of fp32 is 0.9999 or more; "fp16" for the same on
            cards without bf16; "auto" for the one of the three that device and architecture are
            made for.

    Returns:
        The model, ready to embed.

    Raises:
        WeightsError: There is no such file, or it is none that is read.
        RunError: The checkpoint in a run folder is another run's.
        ConfigError: The device is not there, or the precision is unknown.
        ModelError: The architecture does not embed in 16 bits.
    """
    place = pick_device(None if device is None else str(device))
    model, info, checkpoint = read_weights(
        path, image_size=image_size, views=views, coefficient=coefficient
    )
    return Embedder(model, info, device=place, precision=precision, source=checkpoint)


def read_weights(
    path: str | Path,
    *,
    image_size: tuple[int, int] | None = None,
    views: int = 0,
    coefficient: float | None = None,
) -> tuple[ReIDModel, CheckpointInfo, Path]:
    """Read a model from where `load` finds one, on the CPU.

    Returns:
        The model, what is said of it, and the file that it was read from.

    Raises:
        WeightsError: There is no such file, or it is none that `load` reads.
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
