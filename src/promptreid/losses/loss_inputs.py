"""What loss terms may read of a forward pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from promptreid.data.augment.mix import Mix
from promptreid.errors import ConfigError
from promptreid.losses.loss_state import LossState
from promptreid.models.prompts.prompt import PromptOfIdentities
from promptreid.transfer import HostRows


@dataclass(frozen=True, kw_only=True)
class BatchFeatures:
    """One batch and its image features.

    Attributes:
        labels: (B,) class indices.
        host_labels: The same on the CPU. What depends on which identities a batch holds is computed
            from these, so that nobody waits for the device.
        projected: (B, d) image features in the space shared with text.
        host_variants: (B,) which of the data's sentence variants each image goes with, on the CPU.
        features: All image features by name, (B, D) each; None when they come from a cache.
        images: (B, 3, H, W) what the features were computed from; None when they come from a cache.
        mix: How images were mixed with others of the batch; None when none was.
    """

    labels: Tensor
    host_labels: Tensor
    projected: Tensor
    host_variants: Tensor
    features: Mapping[str, Tensor] | None = None
    images: Tensor | None = None
    mix: Mix | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Outputs(ABC):
    """One forward pass, over a batch or over the rows of it that one domain has.

    Attributes:
        batch: The whole batch.
        prompt: The prompt of identities; None where the model has none.
        states: What terms keep between steps, by term name.
        epoch: Epoch of the stage, from 1.
        views: Copies of each image; with 2, rows are view one of all images, then view two of all.
    """

    batch: BatchFeatures
    prompt: PromptOfIdentities | None = None
    states: Mapping[str, LossState] = field(default_factory=dict)
    epoch: int = 1
    views: int = 1

    def select(self, values: Tensor) -> Tensor:
        """Return the rows that take part, of values for the images of the batch on any device."""
        return values

    @property
    def labels(self) -> Tensor:
        """Class indices, (B,)."""
        return self.select(self.batch.labels)

    @property
    def host_labels(self) -> Tensor:
        """Class indices on the CPU, (B,), known before the device has computed anything."""
        return self.select(self.batch.host_labels)

    @property
    def projected(self) -> Tensor:
        """Image features in the space shared with text, (B, d)."""
        return self.select(self.batch.projected)

    @cached_property
    def features(self) -> Mapping[str, Tensor] | None:
        """All image features by name, (B, D) each; None when they come from a cache."""
        features = self.batch.features
        return None if features is None else {n: self.select(v) for n, v in features.items()}

    @property
    def images(self) -> Tensor | None:
        """What features were computed from, (B, 3, H, W); None when they come from a cache."""
        return None if self.batch.images is None else self.select(self.batch.images)

    @property
    def clean(self) -> Tensor | None:
        """Which images are not mixed, (B,) bool on the CPU; None when none is mixed."""
        return None if self.batch.mix is None else self.select(self.batch.mix.clean)

    @cached_property
    def clean_rows(self) -> HostRows | None:
        """Rows of the images that are not mixed; None when none is mixed."""
        return None if self.clean is None else HostRows.where(self.clean)

    @property
    @abstractmethod
    def text(self) -> Tensor:
        """Text feature of each image's prompt, (B, d)."""

    @property
    @abstractmethod
    def identity_texts(self) -> Tensor:
        """Text features of all identities, (C, d), or (B, C, d) where each image has its own."""

    @abstractmethod
    def scores(self, kind: str) -> list[Tensor]:
        """Return the scores of each classifier of a kind, (B, C) each."""

    def feature(self, name: str) -> Tensor:
        """Return an image feature by its name, (B, D).

        Raises:
            ConfigError: The stage reads cached features, which hold only `projected`.
        """
        if self.features is not None:
            return self.features[name]
        if name == "projected":
            return self.projected
        raise ConfigError(
            f"A loss reads the image feature {name!r}, but cached images give only 'projected'. "
            "Set images: augmented in this stage, or change the loss's features."
        )

    def over_clean(self, loss: Callable[..., Tensor], *rows: Tensor) -> Tensor:
        """Apply a loss to the rows of images that are not mixed.

        A mixed image has no one identity, so it is neither an anchor nor anyone's positive or
        negative.

        Args:
            loss: Takes the rows of the clean images.
            rows: Tensors with one row per image, on any device.

        Returns:
            The loss; zero when every image is mixed.
        """
        if self.clean_rows is not None:
            rows = tuple(self.clean_rows.of(tensor) for tensor in rows)
            if not len(self.clean_rows):
                return rows[0].float().sum()  # zero that still leads back to the features
        return loss(*rows)

    def sum_over(
        self,
        names: Iterable[str],
        loss: Callable[[Tensor, Tensor], Tensor],
        *,
        host: bool = False,
    ) -> Tensor:
        """Sum a loss of features and labels over the named features of clean images.

        Args:
            names: Image features.
            loss: Takes features and labels.
            host: Give it labels on the CPU, from which it may tell identities apart at once.
        """
        labels = self.host_labels if host else self.labels
        return add(self.over_clean(loss, self.feature(name), labels) for name in names)


def over_features(loss: Callable[..., Tensor], *settings: str) -> Callable[[Outputs, Any], Tensor]:
    """Make the term that sums a loss over the image features that its options name.

    Args:
        loss: Takes (N, D) features, (N,) labels, and its settings by name.
        settings: Their names, which are those of the options.
    """

    def compute(outputs: Outputs, options: Any) -> Tensor:
        values = {name: getattr(options, name) for name in settings}
        return outputs.sum_over(options.features, partial(loss, **values))

    return compute


def add(losses: Iterable[Tensor]) -> Tensor:
    """Return the sum of scalar losses."""
    return torch.stack(list(losses)).sum()
