"""The losses and counts of one step, and their means over an epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from promptreid.config.losses import LossTerms
from promptreid.losses.loss_inputs import Outputs
from promptreid.losses.terms import class_scores, total_loss
from promptreid.training.stage.step_outputs import Domains


@dataclass(frozen=True)
class StepLosses:
    """What one step measures.

    Attributes:
        loss: The scalar to differentiate.
        terms: Each term without its weight, by name.
        counts: (3,) images classified right, images classified, and pairs of an image and a text of
            its identity.
        domains: Loss of each domain, 0 where the batch holds none of it; none without domains.
    """

    loss: Tensor
    terms: dict[str, Tensor]
    counts: Tensor
    domains: list[Tensor]

    def sums(self, images: int) -> Tensor:
        """Return what is added up over an epoch: losses times the images of the batch, counts."""
        losses = torch.stack([self.loss.detach(), *self.terms.values()]) * images
        domains = [domain * images for domain in self.domains]
        counts = torch.stack([*self.counts, *domains]).to(losses.dtype)
        return torch.cat([losses, counts])


def step_losses(outputs: Outputs, terms: LossTerms, domains: Domains | None) -> StepLosses:
    """Compute the losses of a step, of all classes together or within each domain.

    Args:
        outputs: One forward pass.
        terms: Names, weights and options.
        domains: How losses are taken within domains; None for all classes together.

    Raises:
        ConfigError: A term's options do not fit what the pass gives.
    """
    parts = {0: outputs} if domains is None else dict(domains.split(outputs))
    totals = {number: total_loss(part, terms) for number, part in parts.items()}
    share = 1 / len(totals) if domains is not None and domains.reduce == "mean" else 1.0
    loss = torch.stack([total for total, _ in totals.values()]).sum() * share
    with torch.no_grad():
        counts = torch.stack([_count(part, terms) for part in parts.values()]).sum(0)
    absent = torch.zeros((), device=loss.device)
    return StepLosses(
        loss=loss,
        terms={
            name: torch.stack([values[name] for _, values in totals.values()]).sum() * share
            for name in terms.active()
        },
        counts=counts,
        domains=[
            totals[number][0].detach() if number in totals else absent
            for number in range(0 if domains is None else len(domains.names))
        ],
    )


def _count(outputs: Outputs, terms: LossTerms) -> Tensor:
    """Count images classified right, images classified, and pairs of image and own text, (3,)."""
    labels = outputs.labels
    right = judged = pairs = torch.zeros((), device=labels.device)
    if any(term.counts_pairs for term in terms.active().values()):
        pairs = pairs + (labels[:, None] == labels[None, :]).sum()
    scores = class_scores(outputs, terms)
    if scores is not None:
        hits, clean = scores.argmax(1) == labels, outputs.clean_rows
        right = right + (hits if clean is None else clean.of(hits)).sum()
        judged = judged + (len(labels) if clean is None else len(clean))
    return torch.stack([right, judged, pairs])


def empty_sums(terms: LossTerms, domains: Domains | None) -> Tensor:
    """Return zeros for what `StepLosses.sums` gives."""
    return torch.zeros(len(terms.active()) + 4 + (0 if domains is None else len(domains.names)))


def mean_values(
    sums: Tensor, images: int, terms: LossTerms, domains: Domains | None
) -> dict[str, Any]:
    """Return the values of an epoch's row in the metrics table.

    Args:
        sums: What `StepLosses.sums` gave, added up over the epoch.
        images: Images of the epoch.
        terms: Those that were computed.
        domains: Those within which losses were taken; None for all classes together.
    """
    active = terms.active()
    means = (sums / max(images, 1)).tolist()
    loss, values = means[0], means[1 : 1 + len(active)]
    right, judged, pairs, *each = means[1 + len(active) :]
    row = {
        "loss": loss,
        **{f"loss_{name}": value for name, value in zip(active, values, strict=True)},
        "accuracy": right / judged if judged > 0 else "",
    }
    if any(term.counts_pairs for term in active.values()):
        row["positives"] = pairs
    if domains is not None:
        row |= {f"domain_{n}": value for n, value in zip(domains.names, each, strict=True)}
    return row
