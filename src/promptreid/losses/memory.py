"""Cross-batch memory: losses against features of earlier batches."""

from __future__ import annotations

from functools import partial
from typing import Self, cast

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
    kept: Tensor,
    kept_labels: Tensor,
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
        kept: (M, D) remembered features.
        kept_labels: (M,) their identities; `EMPTY` rows do not take part.
        kind: "supcon", softmax over all that is remembered (see `contrastive.contrast`); "triplet",
            hardest positive and negative by cosine distance; "pair", see `pair_loss.siamese`, with
            the cosine distance.
        temperature: Of supcon.
        margin: Of triplet and pair.

    Returns:
        The scalar loss; zero when nothing remembered fits.
    """
    with torch.autocast(features.device.type, enabled=False):
        similarities = cosines(features, kept.detach())
        there = (kept_labels != EMPTY)[None, :]
        same = labels[:, None] == kept_labels[None, :]
        if kind == "supcon":
            return contrast(similarities / temperature, same, there.expand_as(same))
        if kind == "triplet":
            return hardest_triplets(1 - similarities, same, ~same & there, margin=margin)
        return siamese(1 - similarities, same, ~same & there, margin=margin)


class MemoryState(LossState):
    """Features of earlier batches.

    Attributes:
        ring: What is remembered, at length 1.
    """

    def __init__(self, width: int, *, size: int, start_epoch: int) -> None:
        """Start with nothing.

        Args:
            width: Size of a feature.
            size: How many are kept.
            start_epoch: First epoch, from 1, in which the loss counts. Features are kept from the
                epoch before.
        """
        super().__init__()
        self.start_epoch = start_epoch
        self.ring = Ring(size, width)

    @classmethod
    def build(cls, options: MemoryOptions, setting: StateSetting) -> Self:
        """Make room for the feature of the options."""
        (name,) = options.features
        return cls(setting.widths[name], size=options.size, start_epoch=options.start_epoch)

    def loss(
        self,
        features: Tensor,
        labels: Tensor,
        *,
        epoch: int,
        kind: str,
        temperature: float,
        margin: float,
    ) -> Tensor:
        """Return the loss against what is remembered so far, then remember this batch.

        Args:
            features: (N, D).
            labels: (N,) identities.
            epoch: From 1; before `start_epoch` the loss is zero.
            kind: See `memory_loss`, also for the other options.
            temperature: Of supcon.
            margin: Of triplet and pair.
        """
        loss = features[:0].float().sum()  # zero that still leads back to the features
        if epoch >= self.start_epoch:
            loss = memory_loss(
                features,
                labels,
                self.ring.features,
                self.ring.labels,
                kind=kind,
                temperature=temperature,
                margin=margin,
            )
        if self.training and epoch >= self.start_epoch - 1:
            self.ring.add(F.normalize(features.detach().float(), dim=1), labels)
        return loss


def memory_term(outputs: Outputs, options: MemoryOptions) -> Tensor:
    """Compare an image feature with those of earlier batches."""
    loss = partial(
        cast(MemoryState, outputs.states["memory"]).loss,
        epoch=outputs.epoch,
        kind=options.kind,
        temperature=options.temperature,
        margin=options.margin,
    )
    return outputs.sum_over(options.features, loss)
