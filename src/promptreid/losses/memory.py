"""Cross-batch memory: losses against features of earlier batches."""

from __future__ import annotations

from functools import partial
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from promptreid.config.losses import MemoryOptions
from promptreid.losses.contrastive import contrast
from promptreid.losses.distances import cosines
from promptreid.losses.loss_inputs import Outputs
from promptreid.losses.loss_state import LossState, StateSetting
from promptreid.losses.pair_loss import siamese
from promptreid.losses.ring import EMPTY, Ring
from promptreid.losses.triplet import hardest_triplets


def memory_loss(
    features: Tensor,
    labels: Tensor,
    remembered: Tensor,
    remembered_labels: Tensor,
    *,
    kind: str = "supcon",
    temperature: float = 0.1,
    margin: float = 0.3,
) -> Tensor:
    """Compare a batch with remembered features, which get no gradient (Wang et al., CVPR 2020).

    All features are brought to length 1. Anchors are the images of the batch; their positives and
    negatives are remembered. An earlier feature of the same image is a positive like any other.

    Args:
        features: (N, D), any floating type; the loss is computed in float32.
        labels: (N,) identities.
        remembered: (M, D) features of earlier batches.
        remembered_labels: (M,) their identities; `EMPTY` rows do not take part.
        kind: "supcon", softmax over all that is remembered (see `contrastive.contrast`); "triplet",
            hardest positive and negative by cosine distance; "pair", see `pair_loss.siamese`, with
            the cosine distance.
        temperature: Divides the cosines of supcon; above zero.
        margin: Margin of triplet and pair.

    Returns:
        The scalar loss; zero when nothing remembered fits.
    """
    with torch.autocast(features.device.type, enabled=False):
        similarities = cosines(features, remembered.detach())
        filled = (remembered_labels != EMPTY)[None, :]
        same = labels[:, None] == remembered_labels[None, :]
        if kind == "supcon":
            return contrast(similarities / temperature, same, filled.expand_as(same))
        if kind == "triplet":
            return hardest_triplets(1 - similarities, same, ~same & filled, margin=margin)
        return siamese(1 - similarities, same, ~same & filled, margin=margin)


class MemoryState(LossState):
    """Features of earlier batches.

    Attributes:
        options: Kind of loss, and when it begins to count.
        ring: What is remembered, at length 1.
    """

    def __init__(self, options: MemoryOptions, setting: StateSetting) -> None:
        """Make room for the feature of the options."""
        super().__init__(options, setting)
        self.options = options
        (name,) = options.features
        self.ring = Ring(options.size, setting.widths[name])

    def loss(self, features: Tensor, labels: Tensor, *, epoch: int) -> Tensor:
        """Return the loss against what is remembered so far, then remember this (N, D) batch.

        Before the epoch `start_epoch` of the options the loss is zero; features are kept from the
        epoch before.
        """
        options = self.options
        loss = features[:0].float().sum()  # zero that still leads back to the features
        if epoch >= options.start_epoch:
            loss = memory_loss(
                features,
                labels,
                self.ring.features,
                self.ring.labels,
                kind=options.kind,
                temperature=options.temperature,
                margin=options.margin,
            )
        if self.training and epoch >= options.start_epoch - 1:
            self.ring.add(F.normalize(features.detach().float(), dim=1), labels)
        return loss


def memory_term(outputs: Outputs, options: MemoryOptions) -> Tensor:
    """Compare an image feature with those of earlier batches."""
    state = cast(MemoryState, outputs.states["memory"])
    return outputs.sum_over(options.features, partial(state.loss, epoch=outputs.epoch))
