"""A model as the encoder that `reid.ReIDModel` of Roboflow takes."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from promptreid.data.images.preprocess import Preprocess
from promptreid.models.reid import ReIDModel


class ReIDBackbone(nn.Module):
    """Normalised images in, vectors out; it shares the weights of the model.

    Attributes:
        preprocessing: Arguments of `reid.ReIDPreprocessing`.
    """

    def __init__(self, model: ReIDModel, preprocess: Preprocess) -> None:
        """Take a model and how its images are prepared."""
        super().__init__()
        self.model = model
        self.preprocessing: dict[str, Any] = {
            "input_size": preprocess.image_size,
            "mean": preprocess.mean,
            "std": preprocess.std,
            "interpolation": preprocess.test_interpolation,
        }

    def forward(self, images: Tensor) -> Tensor:
        """Embed (B, 3, H, W) normalised images: (B, width) rows of length 1, cameras unknown."""
        return self.model.embed(images)
