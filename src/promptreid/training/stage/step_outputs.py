"""What the loss terms of one step read. Each part is computed when a term first asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from promptreid.models.prompts.identity_prompt import IdentityPrompt

if TYPE_CHECKING:
    from promptreid.data.augment.mix import Mix
    from promptreid.losses.states import LossState
    from promptreid.models.reid import ReIDModel
    from promptreid.training.stage.stage_batches import Step


@dataclass
class StepOutputs:
    """One forward pass.

    Attributes:
        model: The model that ran.
        step: The batch and its image features.
        bank: (V, C, d) text features of all identities in all sentence variants, when they are not
            computed anew at every step, else None.
        text_learns: Whether prompts or the text tower learn, so that texts carry gradients.
        states: What the terms remember between steps, by term name.
        epoch: Epoch of the stage, from 1.
        views: Augmented copies of each image in the batch.
    """

    model: ReIDModel
    step: Step
    bank: Tensor | None = None
    text_learns: bool = True
    states: Mapping[str, LossState] = field(default_factory=dict)
    epoch: int = 1
    views: int = 1
    _scores: dict[str, list[Tensor]] = field(default_factory=dict, init=False, repr=False)

    @property
    def labels(self) -> Tensor:
        """Class indices, (B,)."""
        return self.step.labels

    @property
    def projected(self) -> Tensor:
        """Image features in the joint space, (B, d)."""
        return self.step.projected

    @property
    def features(self) -> Mapping[str, Tensor] | None:
        """All image features by name; None when they come from a cache."""
        return self.step.features

    @property
    def images(self) -> Tensor | None:
        """The augmented images; None when features come from a cache."""
        return self.step.images

    @property
    def mix(self) -> Mix | None:
        """Which images were mixed with others; None when none was."""
        return self.step.mix

    @property
    def clean(self) -> Tensor | None:
        """Which images were not mixed, (B,) bool; None when none was mixed."""
        return None if self.step.mix is None else self.step.mix.clean

    @cached_property
    def _after_neck(self) -> dict[str, Tensor]:
        if self.features is None or self.model.head is None:
            raise RuntimeError("Classifier scores need image features and a head.")
        return self.model.head.neck(self.features, self.labels)

    def scores(self, kind: str) -> list[Tensor]:
        """Scores of each classifier of a kind, (B, C) each, computed once."""
        if kind not in self._scores:
            after = self._after_neck
            assert self.model.head is not None
            self._scores[kind] = self.model.head.classify(after, kind)
        return self._scores[kind]

    @property
    def _prompt(self) -> IdentityPrompt:
        if not isinstance(self.model.prompt, IdentityPrompt):
            raise RuntimeError("Texts of identities need identity prompts.")
        return self.model.prompt

    @property
    def prompt_tokens(self) -> Tensor:
        """The learned tokens of the prompt."""
        return self._prompt.tokens

    @property
    def shared_tokens(self) -> Tensor | None:
        """Learned tokens that all identities share, (Ms, width); None when there are none."""
        return self._prompt.shared

    @property
    def domain_tokens(self) -> Tensor | None:
        """Learned tokens of K domains, (K, Md, width); None when there are none."""
        return self._prompt.domain

    @cached_property
    def text(self) -> Tensor:
        """Prompt feature of each sample's identity, (B, d)."""
        if self.features is not None and "text" in self.features:
            return self.features["text"]
        if self.text_learns or self.bank is None:
            return self._prompt(self.labels, self.step.variants)
        return self.bank[self.step.variants, self.labels]

    @cached_property
    def identity_texts(self) -> Tensor:
        """Prompt features of all identities.

        (C, d); or (B, C, d) where the sentence depends on the sample, each sample's own kind.
        """
        if self.bank is not None:
            return self.bank[0] if len(self.bank) == 1 else self.bank[self.step.variants]
        everyone = torch.arange(self._prompt.identities, device=self.labels.device)
        distinct, where = self.step.variants.unique(return_inverse=True)
        rows = [self._prompt(everyone, torch.full_like(everyone, int(v))) for v in distinct]
        return rows[0] if len(rows) == 1 else torch.stack(rows)[where]
