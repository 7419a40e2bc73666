"""Momentum contrast: two views of an image against a slowly moving copy of the model."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from promptreid.config.losses import MoCoOptions
from promptreid.losses.distances import cosines
from promptreid.losses.loss_inputs import Outputs
from promptreid.losses.loss_state import LossState, StateSetting
from promptreid.losses.ring import EMPTY, Ring
from promptreid.transfer import HostRows

if TYPE_CHECKING:
    from promptreid.models.reid import ReIDModel


def momentum_contrast(
    queries: Tensor,
    keys: Tensor,
    labels: Tensor,
    queue: Tensor,
    queue_labels: Tensor,
    *,
    temperature: float = 0.2,
) -> Tensor:
    """Classify each query's key among all keys (InfoNCE; He et al., CVPR 2020).

    Key i is the positive of query i. Negatives are the keys of the other images of the batch, as in
    MoCo v3, and the queue of earlier batches. A key that has the query's label without being its
    own, such as an older key of the same image, is no negative and does not take part.

    Args:
        queries: (N, D), any floating type; the loss is computed in float32 from cosines.
        keys: (N, D), which get no gradient.
        labels: (N,) labels of the images; each has one of its own where nobody has labelled them.
        queue: (M, D) keys of earlier batches; M may be 0.
        queue_labels: (M,) their labels; `EMPTY` rows do not take part.
        temperature: Divides the cosines; above zero.

    Returns:
        The scalar mean over the queries.
    """
    with torch.autocast(queries.device.type, enabled=False):
        logits = cosines(queries, torch.cat([keys.float(), queue]).detach()) / temperature
        partners = torch.arange(len(labels), device=labels.device)
        others = torch.cat([labels, queue_labels])
        left_out = (labels[:, None] == others[None, :]) | (others == EMPTY)[None, :]
        left_out[partners, partners] = False
        return F.cross_entropy(logits.masked_fill(left_out, float("-inf")), partners)


class MoCoState(LossState):
    """Momentum copy of image tower and head, and the queue of its keys.

    The copy sees images without cameras and views. Batch norm in it uses the statistics of its own
    batch while that of the model does; keys are not shuffled between devices, as there is one.

    Attributes:
        options: Which feature is contrasted, and the momentum of the copy.
        encoder: The copy, without text tower and prompts.
        queue: Keys of earlier batches, at length 1.
    """

    def __init__(self, options: MoCoOptions, setting: StateSetting) -> None:
        """Copy the model as it begins the stage."""
        super().__init__(options, setting)
        self.options = options
        self.encoder = _copy_image_side(setting.model)
        (name,) = options.features
        self.queue = Ring(options.size, setting.widths[name])

    def loss(self, queries: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """Contrast each view with the keys of the other, then put the keys into the queue.

        Args:
            queries: (2N, D) features of the model: view one of all images, then view two.
            images: (2N, 3, H, W) the views.
            labels: (2N,) labels of the images, repeated.

        Returns:
            The mean of both directions.
        """
        keys = self._keys(images)
        half = len(labels) // 2
        first, second = slice(0, half), slice(half, None)
        losses = [
            momentum_contrast(
                queries[view],
                keys[other],
                labels[view],
                self.queue.features,
                self.queue.labels,
                temperature=self.options.temperature,
            )
            for view, other in ((first, second), (second, first))
        ]
        if self.training:
            self.queue.add(keys, labels)
        return torch.stack(losses).mean()

    @torch.no_grad()
    def _keys(self, images: Tensor) -> Tensor:
        derived = self.encoder.derived(self.encoder.features(images))
        return F.normalize(derived[self.options.features[0]].float(), dim=1)

    @torch.no_grad()
    def after_step(self, model: ReIDModel) -> None:
        """Move the copy towards the model: `k <- momentum k + (1 - momentum) q`."""
        sources = dict(model.named_parameters())
        copies = dict(self.encoder.named_parameters())
        torch._foreach_lerp_(
            list(copies.values()),
            [sources[name].detach() for name in copies],
            1 - self.options.momentum,
        )
        modules = dict(model.named_modules())
        for name, module in self.encoder.named_modules():
            if name in modules:
                module.training = modules[name].training


def _copy_image_side(model: ReIDModel) -> ReIDModel:
    """Copy all of a model but its text tower and prompts; nothing in the copy learns."""
    # What is found in this table is taken from it instead of being copied.
    instead: dict[int, object] = {id(model.backbone.text): nn.Identity()}
    if model.prompt is not None:
        instead[id(model.prompt)] = None
    return copy.deepcopy(model, instead).requires_grad_(False)


def moco_term(outputs: Outputs, options: MoCoOptions) -> Tensor:
    """Contrast two views of each image with keys of the momentum copy."""
    if outputs.images is None or outputs.views != 2:
        raise RuntimeError("Momentum contrast needs the images of two views.")
    state = cast(MoCoState, outputs.states["moco"])
    rows = [outputs.feature(options.features[0]), outputs.images, outputs.labels]
    if outputs.clean is not None:  # an image takes part when both of its views are clean
        both = HostRows.where(outputs.clean.view(2, -1).all(0).repeat(2))
        rows = [both.of(tensor) for tensor in rows]
        if not len(both):
            return rows[0].float().sum()
    queries, images, labels = rows
    return state.loss(queries, images, labels)
