"""What every part of a head answers that makes further features: which it gives, what it reads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from promptreid.config.base import Strict
from promptreid.models.towers.image_tower import ImageFeatures


class HeadPart(nn.Module, ABC):
    """Makes further features of an image, to be classified, compared or retrieved with.

    Its entry in `HEAD_PARTS` builds it: a class or a function that is called with its options in a
    recipe's `head`, the sizes of the features there are before it, by name, the image tower (None
    where no part reads its tokens), and a generator for its fresh weights.

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

    @abstractmethod
    def forward(self, features: ImageFeatures, derived: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the (B, width) features it makes, by name.

        Args:
            features: What the tower gave, with tokens if `needs_tokens`.
            derived: All features before it, by name.
        """
