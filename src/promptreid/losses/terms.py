"""Loss terms of a recipe: each a function of one forward pass and its options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import torch
from torch import Tensor

from promptreid.config.losses import (
    IdTerm,
    ImageToTextTerm,
    LossTerm,
    LossTerms,
    SupConTextTerm,
    TripletTerm,
)
from promptreid.losses.classification import identity_cross_entropy
from promptreid.losses.contrastive import supcon_cross_modal
from promptreid.losses.triplet import batch_hard_triplet


class Outputs(Protocol):
    """What a term may read; see `promptreid.training.outputs.StepOutputs`."""

    @property
    def labels(self) -> Tensor: ...  # noqa: D102
    @property
    def projected(self) -> Tensor: ...  # noqa: D102
    @property
    def features(self) -> Any: ...  # noqa: D102
    @property
    def logits(self) -> list[Tensor]: ...  # noqa: D102
    @property
    def text(self) -> Tensor: ...  # noqa: D102
    @property
    def text_logits(self) -> Tensor: ...  # noqa: D102


def supcon_i2t(outputs: Outputs, term: SupConTextTerm) -> Tensor:
    """Contrast each image with the texts of the batch."""
    return supcon_cross_modal(
        outputs.projected,
        outputs.text,
        outputs.labels,
        outputs.labels,
        temperature=term.temperature,
        normalize=term.normalize,
    )


def supcon_t2i(outputs: Outputs, term: SupConTextTerm) -> Tensor:
    """Contrast each text with the images of the batch."""
    return supcon_cross_modal(
        outputs.text,
        outputs.projected,
        outputs.labels,
        outputs.labels,
        temperature=term.temperature,
        normalize=term.normalize,
    )


def identity(outputs: Outputs, term: IdTerm) -> Tensor:
    """Sum the cross-entropy of every classifier."""
    losses = [
        identity_cross_entropy(logits, outputs.labels, smoothing=term.smoothing)
        for logits in outputs.logits
    ]
    return torch.stack(losses).sum()


def triplet(outputs: Outputs, term: TripletTerm) -> Tensor:
    """Sum the batch-hard triplet loss of every named image feature."""
    losses = [
        batch_hard_triplet(getattr(outputs.features, name), outputs.labels, margin=term.margin)
        for name in term.features
    ]
    return torch.stack(losses).sum()


def image_to_text(outputs: Outputs, term: ImageToTextTerm) -> Tensor:
    """Classify each image among the texts of all identities, without a temperature."""
    return identity_cross_entropy(outputs.text_logits, outputs.labels, smoothing=term.smoothing)


FUNCTIONS: Mapping[str, Callable[[Any, Any], Tensor]] = MappingProxyType(
    {
        "supcon_i2t": supcon_i2t,
        "supcon_t2i": supcon_t2i,
        "id": identity,
        "triplet": triplet,
        "i2t": image_to_text,
    }
)
"""Function of each term that `promptreid.config.losses.LossTerms` names."""


def total_loss(outputs: Outputs, terms: LossTerms) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the weighted sum of the active terms, and each term without its weight.

    Args:
        outputs: One forward pass.
        terms: Names, weights and options.

    Returns:
        The scalar to differentiate, in float32, and the detached terms by name.
    """
    active: dict[str, LossTerm] = terms.active()
    values = {name: FUNCTIONS[name](outputs, term) for name, term in active.items()}
    total = torch.stack([active[name].weight * value for name, value in values.items()]).sum()
    return total, {name: value.detach() for name, value in values.items()}
