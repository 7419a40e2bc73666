"""Layers that turn one feature into a smaller one: a perceptron, and a linear reduction."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from promptreid.config.model import MlpConfig, ReductionConfig
from promptreid.errors import ConfigError, unknown_name
from promptreid.models.heads.fresh_layers import fresh_linear
from promptreid.models.heads.head_part import HeadPart
from promptreid.models.towers.image_tower import ImageFeatures, ImageTower


class Mlp(HeadPart):
    """Two-layer projection, linear - ReLU - linear (SimCLR: Chen et al., ICML 2020).

    It gives the feature `mlp`.
    """

    options: MlpConfig

    def __init__(
        self,
        options: MlpConfig,
        widths: Mapping[str, int],
        tower: ImageTower | None,
        generator: torch.Generator,
    ) -> None:
        """Build the layers for the feature that the options name; see `HeadPart`.

        Raises:
            ConfigError: There is no such feature.
        """
        super().__init__(options)
        inputs = _read_width(widths, options.of)
        hidden = inputs if options.hidden is None else options.hidden
        self.reads, self.widths = (options.of,), {"mlp": options.width}
        self.first = fresh_linear(inputs, hidden, generator=generator)
        self.second = fresh_linear(hidden, options.width, generator=generator)

    def forward(self, features: ImageFeatures, derived: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Project the feature that the options name."""
        return {"mlp": self.second(F.relu(self.first(derived[self.options.of])))}


class Reduction(HeadPart):
    """Linear reduction of a feature; gives the feature `reduced`."""

    options: ReductionConfig

    def __init__(
        self,
        options: ReductionConfig,
        widths: Mapping[str, int],
        tower: ImageTower | None,
        generator: torch.Generator,
    ) -> None:
        """Build the layer for the feature that the options name; raises as `Mlp`."""
        super().__init__(options)
        inputs = _read_width(widths, options.of)
        self.reads, self.widths = (options.of,), {"reduced": options.width}
        self.linear = fresh_linear(inputs, options.width, generator=generator)

    def forward(self, features: ImageFeatures, derived: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Reduce the feature that the options name."""
        return {"reduced": self.linear(derived[self.options.of])}


def _read_width(widths: Mapping[str, int], name: str) -> int:
    if name not in widths:
        raise ConfigError(unknown_name("feature of the image tower", name, widths))
    return widths[name]
