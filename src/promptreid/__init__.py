"""CLIP-based re-identification: train, evaluate, explain and serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptreid.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from promptreid.inference.embedder import Embedder

__all__ = ["__version__", "load"]


def load(
    path: str | Path,
    device: str | torch.device | None = None,
    *,
    image_size: tuple[int, int] | None = None,
    views: int = 0,
    coefficient: float = 1.0,
) -> Embedder:
    """Load a trained model for inference; see `promptreid.inference.load.load`.

    Args:
        path: A run folder, a promptreid checkpoint, or a published CLIP-ReID `.pth`.
        device: Where it computes; None picks CUDA, MPS or the CPU.
        image_size: Height and width a published `.pth` was trained with, where the file leaves it
            open.
        views: Number of views in a published `.pth`'s side-information table.
        coefficient: Factor on that table (`SIE_COE`), which the file does not hold.

    Returns:
        An object with `embed(images)` and `embed_text(sentences)`.

    Raises:
        WeightsError: There is no such file, or it is none of the three.

    Example:
        >>> import promptreid
        >>> model = promptreid.load("runs/mine", device="cpu")
        >>> model.embed(["photos/000/0.png", "photos/001/0.png"]).shape
        torch.Size([2, 128])
    """
    # Imported here, so that the command line answers without loading PyTorch.
    from promptreid.inference.load import load as load_embedder

    return load_embedder(path, device, image_size=image_size, views=views, coefficient=coefficient)
