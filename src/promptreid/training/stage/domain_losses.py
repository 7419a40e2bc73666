"""Losses within each of several domains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from promptreid.training.stage.step_outputs import StepOutputs

if TYPE_CHECKING:
    from promptreid.losses.states import LossState


@dataclass(frozen=True)
class Domains:
    """Which classes belong to which domain, and how their losses add up.

    Attributes:
        names: Of the domains, K.
        of_class: (C,) domain number of each class; the classes of a domain are neighbours.
        reduce: "mean" or "sum" over the domains of a batch.
    """

    names: tuple[str, ...]
    of_class: Tensor
    reduce: str

    def split(self, outputs: StepOutputs) -> Iterator[tuple[int, StepOutputs | DomainOutputs]]:
        """Yield the number and the part of every domain that the batch holds.

        Where there is one domain its part is the batch itself, so that sums are taken in the same
        order and training is that without domains to the bit.
        """
        if len(self.names) == 1:
            yield 0, outputs
            return
        domains = self.of_class[outputs.labels]
        for number in range(len(self.names)):
            rows = (domains == number).nonzero()[:, 0]
            if len(rows):
                first, last = self._range[number]
                yield number, DomainOutputs(outputs, rows, first, last)

    @cached_property
    def _range(self) -> list[tuple[int, int]]:
        counts = torch.bincount(self.of_class, minlength=len(self.names)).tolist()
        ends = [sum(counts[: number + 1]) for number in range(len(counts))]
        return [(end - count, end) for count, end in zip(counts, ends, strict=True)]


@dataclass(frozen=True)
class DomainOutputs:
    """The rows of one domain, as if its identities were all there are.

    Classifiers and texts of other domains take no part: their scores are left out, so that each
    domain has a classifier of its own over the identities it knows.
    """

    whole: StepOutputs
    rows: Tensor
    first: int
    last: int

    @property
    def labels(self) -> Tensor:
        """Class indices within the domain, (b,)."""
        return self.whole.labels[self.rows] - self.first

    @property
    def projected(self) -> Tensor:
        """Image features in the joint space, (b, d)."""
        return self.whole.projected[self.rows]

    @cached_property
    def features(self) -> Mapping[str, Tensor] | None:
        """All image features by name, (b, width) each."""
        found = self.whole.features
        return None if found is None else {name: value[self.rows] for name, value in found.items()}

    @property
    def images(self) -> Tensor | None:
        """The augmented images, (b, 3, H, W)."""
        return None if self.whole.images is None else self.whole.images[self.rows]

    @property
    def mix(self) -> None:
        """Nothing is mixed across domains."""
        return

    @property
    def clean(self) -> None:
        """Nothing is mixed across domains."""
        return

    @property
    def text(self) -> Tensor:
        """Prompt feature of each sample, (b, d)."""
        return self.whole.text[self.rows]

    @property
    def identity_texts(self) -> Tensor:
        """Prompt features of the domain's identities, (c, d) or (b, c, d)."""
        texts = self.whole.identity_texts
        if texts.ndim == 3:
            return texts[self.rows, self.first : self.last]
        return texts[self.first : self.last]

    @property
    def prompt_tokens(self) -> Tensor:
        """The learned tokens of the prompt."""
        return self.whole.prompt_tokens

    @property
    def shared_tokens(self) -> Tensor | None:
        """Learned tokens that all identities share."""
        return self.whole.shared_tokens

    @property
    def domain_tokens(self) -> Tensor | None:
        """Learned tokens of the domains."""
        return self.whole.domain_tokens

    @property
    def states(self) -> Mapping[str, LossState]:
        """What terms remember between steps."""
        return self.whole.states

    @property
    def epoch(self) -> int:
        """Epoch of the stage, from 1."""
        return self.whole.epoch

    @property
    def views(self) -> int:
        """Augmented copies of each image."""
        return self.whole.views

    def scores(self, kind: str) -> list[Tensor]:
        """Scores over the domain's identities, (b, c) of each classifier."""
        return [scores[self.rows, self.first : self.last] for scores in self.whole.scores(kind)]
