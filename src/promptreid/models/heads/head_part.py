"""What every part of a head answers that makes further features: which it gives, what it reads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from promptreid.config.base import Strict
from promptreid.models.towers.image_tower import ImageFeatures, ImageTower


class HeadPart(nn.Module, ABC):
    """Makes further features of an image, to be classified, compared or retrieved with.

    Attributes:
        options: What it was built with.
        widths: Sizes of the features it gives, by name and in their order.
        reads: Names of the features it is computed from, beside the tower's tokens.
        needs_tokens: Whether it reads the tower's tokens.
    """

    widths: dict[str, int]
    reads: tuple[str, ...] = ()
    needs_tokens: ClassVar[bool] = False

    def __init__(self, options: Strict) -> None:
        super().__init__()
        self.options = options

    @classmethod
    @abstractmethod
    def build(
        cls,
        options: Any,
        widths: Mapping[str, int],
        tower: ImageTower | None,
        generator: torch.Generator,
    ) -> Self:
        """Build the part with fresh weights.

        Args:
            options: Its options in a recipe's `head`.
            widths: Sizes of the features there are before it, by name.
            tower: The image tower, fitted to its image size; None where no part reads its tokens.
            generator: Source of the initial weights.

        Raises:
            ConfigError: It reads a feature that is not there.
            ModelError: The tower cannot have it.
        """

    @abstractmethod
    def forward(self, features: ImageFeatures, derived: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the (B, width) features it makes, by name.

        Args:
            features: What the tower gave, with tokens if `needs_tokens`.
            derived: All features before it, by name.
        """
