"""What the loss terms of one step read. Each part is computed when a term first asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from promptreid.models.reid import ReIDModel
    from promptreid.models.tower import ImageFeatures


@dataclass
class StepOutputs:
    """One forward pass.

    Attributes:
        model: The model that ran.
        labels: (B,) class indices.
        projected: (B, d) image features in the joint space.
        features: All image features; None when they come from a cache.
        bank: (C, d) text features of all identities when the prompts are frozen, else None.
    """

    model: ReIDModel
    labels: Tensor
    projected: Tensor
    features: ImageFeatures | None
    bank: Tensor | None

    @cached_property
    def logits(self) -> list[Tensor]:
        """Scores of each classifier, (B, C) each."""
        if self.features is None or self.model.head is None:
            raise RuntimeError("Classifier scores need image features and a head.")
        return self.model.head(self.features)

    @cached_property
    def text(self) -> Tensor:
        """Prompt feature of each sample's identity, (B, d)."""
        if self.bank is not None:
            return self.bank[self.labels]
        if self.model.prompt is None:
            raise RuntimeError("Prompt features need a prompt.")
        return self.model.prompt(self.labels)

    @cached_property
    def identity_texts(self) -> Tensor:
        """Prompt features of all identities, (C, d)."""
        if self.bank is not None:
            return self.bank
        if self.model.prompt is None:
            raise RuntimeError("Prompt features need a prompt.")
        return self.model.prompt.bank()

    @cached_property
    def text_logits(self) -> Tensor:
        """Raw dot products of images and identity texts, (B, C), in float32."""
        with torch.autocast(self.projected.device.type, enabled=False):
            return self.projected.float() @ self.identity_texts.float().T
