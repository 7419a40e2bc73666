"""Center loss with centers that learn on their own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from promptreid.config.losses import CenterOptions
from promptreid.losses.loss_inputs import Outputs, add
from promptreid.losses.loss_state import LossState, StateSetting
from promptreid.transfer import send

if TYPE_CHECKING:
    from promptreid.models.reid import ReIDModel


def center_loss(features: Tensor, labels: Tensor, centers: Tensor) -> Tensor:
    """Compute the center loss (Wen et al., ECCV 2016), a mean where the paper has a sum.

    `mean_i |f_i - c_{y_i}|^2 / 2`.

    Args:
        features: (N, D), any floating type; the loss is computed in float32.
        labels: (N,) identities.
        centers: (C, D), which get no gradient.

    Returns:
        The scalar loss.
    """
    with torch.autocast(features.device.type, enabled=False):
        own = centers.detach()[send(labels, centers.device)]
        return (features.float() - own).pow(2).sum(1).mean() / 2


class CenterState(LossState):
    """One center per identity for each of some features.

    After each optimizer step the centers of the identities that were seen move by the published
    rule, `c_j <- c_j - lr * sum_{i: y_i = j} (c_j - f_i) / (1 + n_j)`, with the features as they
    were in the step's forward passes. That is gradient descent with the gradient of the sum over
    an identity's `n_j` images, damped by their number; the loss's weight plays no part in it. They
    belong to no optimizer.

    Attributes:
        lr: Share of the way to the mean that a center goes, in (0, 1]; alpha in the paper.
        centers: (C, D) by feature name.
    """

    def __init__(self, options: CenterOptions, setting: StateSetting) -> None:
        """Draw centers from N(0, 1) for each feature of the options."""
        super().__init__(options, setting)
        self.lr = options.lr
        self.centers = nn.ParameterDict()
        for name in options.features:
            shape = (setting.classes, setting.widths[name])
            drawn = torch.randn(*shape, generator=setting.generator)
            self.centers[name] = nn.Parameter(drawn, requires_grad=False)
        self._seen: dict[str, list[tuple[Tensor, Tensor]]] = {n: [] for n in options.features}

    def loss(self, name: str, features: Tensor, labels: Tensor) -> Tensor:
        """Return the center loss of a feature, and note what its centers are to follow.

        Args:
            name: Which feature.
            features: (N, D).
            labels: (N,) identities, on the CPU, so that nobody waits for a device to learn which
                centers move.
        """
        if self.training:
            self._seen[name].append((features.detach().float(), labels))
        return center_loss(features, labels, self.centers[name])

    @torch.no_grad()
    def after_step(self, model: ReIDModel) -> None:
        """Move the centers towards the features of this step."""
        for name, seen in self._seen.items():
            if seen:
                features = torch.cat([batch for batch, _ in seen])
                labels = torch.cat([batch for _, batch in seen])
                move_centers(self.centers[name], features, labels, lr=self.lr)
                seen.clear()

    def forget_passes(self) -> None:
        """Drop the features that the centers were to follow."""
        for seen in self._seen.values():
            seen.clear()


@torch.no_grad()
def move_centers(centers: Tensor, features: Tensor, labels: Tensor, *, lr: float) -> None:
    """Move the centers of the identities that occur; see `CenterState` for the rule.

    Args:
        centers: (C, D) float32, changed in place.
        features: (N, D) float32.
        labels: (N,) identities; on the CPU, so that nobody waits for a device to tell them apart.
        lr: Above zero.
    """
    labels, device = labels.cpu(), centers.device
    distinct, counts = labels.unique(return_counts=True)
    # A product instead of a scatter, which is not repeatable on every device.
    members = send(distinct[:, None] == labels[None, :], device).to(features.dtype)
    distinct, counts = send(distinct, device), send(counts, device)
    old = centers[distinct]
    difference = counts[:, None] * old - members @ features
    centers[distinct] = old - lr * difference / (1 + counts)[:, None]


def center_term(outputs: Outputs, options: CenterOptions) -> Tensor:
    """Sum the center loss over the named image features."""
    state = cast(CenterState, outputs.states["center"])
    return add(
        outputs.over_clean(partial(state.loss, name), outputs.feature(name), outputs.host_labels)
        for name in options.features
    )
