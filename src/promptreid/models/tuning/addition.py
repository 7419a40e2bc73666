"""What every small addition to an image tower answers: how it is built, where it acts, its part."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from promptreid.config.base import Strict


class TuningAddition(nn.Module, ABC):
    """A small addition to an image tower that can learn while the tower itself is frozen.

    A tower holds its additions by the name of their part, which is their key in a recipe's `tuning`
    too, and calls their hooks. A hook that an addition does not override leaves tokens as they are.

    Attributes:
        Options: Class of its options.
        folds: Whether it can be put into the tower's own weights, which it renames meanwhile.
        before_blocks: Whether its parameters count as coming before the first block, not after the
            last, where layers decay by their depth.
        fresh: Positions of tokens that every block gets anew, for maps of attention; None for none.
        adapts: Whether it changes the tokens that leave the last block, so that all are needed.
        draws_maps: Whether `maps` tells where it acts.
        options: What it was built with.
    """

    Options: ClassVar[type[Strict]]
    folds: ClassVar[bool] = False
    before_blocks: ClassVar[bool] = False
    fresh: slice | None = None
    adapts: bool = False
    draws_maps: ClassVar[bool] = False

    def __init__(self, options: Strict) -> None:
        super().__init__()
        self.options = options

    @classmethod
    @abstractmethod
    def build(cls, tower: Any, options: Any, generator: torch.Generator) -> Self:
        """Build the addition for a tower, changing nothing but what `folds` allows.

        Args:
            tower: An `ImageTower`, which imports this class.
            options: An instance of `Options`.
            generator: Source of the initial values.

        Raises:
            ModelError: The tower cannot have it.
        """

    @classmethod
    def owns(cls, part: str, name: str) -> bool:
        """Return whether a parameter of a tower, given by its name there, belongs to the part."""
        return name.startswith(f"{part}.")

    def fold(self, tower: Any) -> None:
        """Put the addition into the tower's own weights, which get their old names back."""
        raise NotImplementedError

    def enter(self, tokens: Tensor, block: int, *, blocks: int, cells: int) -> Tensor:
        """Change the (B, N, width) tokens, the patches last, that enter a block.

        It is number `block` of `blocks`, from 0, and there are `cells` patches.
        """
        return tokens

    def leave(self, tokens: Tensor) -> Tensor:
        """Take out of (B, N, width) tokens what `enter` put among them."""
        return tokens

    def adapt(self, tokens: Tensor, *, leading: int) -> Tensor:
        """Change the (B, leading + cells, width) tokens that leave the last block or layer."""
        return tokens

    def maps(self, tokens: Tensor, *, leading: int = 0) -> Tensor:
        """Return how much each of G groups acts on each cell, (B, cells, G)."""
        raise NotImplementedError
