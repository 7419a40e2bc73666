"""Test whether the domain that a text names matters, with texts of own and swapped domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from promptreid.errors import EvaluationError
from promptreid.evaluation.uncertainty.intervals import Difference, summarise_changes
from promptreid.evaluation.uncertainty.resampling import BOOTSTRAP, Bootstrap, resampled_means
from promptreid.json_record import JsonRecord
from promptreid.models.prompts.prompt import PromptOfIdentities


@dataclass(frozen=True)
class DomainTexts(JsonRecord):
    """Shares that say how often images of one domain lie closest to the text of their own identity.

    The candidates are the texts of all training identities of the domain.

    Attributes:
        domain: Its name.
        own: Share of the images, with the tokens of the identity's own domain in the texts.
        swapped: With those of another domain, the mean over all others.
        neutral: With the mean of all domains' tokens.
        own_minus_swapped: Own minus swapped, paired over identities.
        images: Number of images.
        identities: Number of identities, those of the texts.
    """

    domain: str
    own: float
    swapped: float
    neutral: float
    own_minus_swapped: Difference
    images: int
    identities: int

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DomainTexts:
        """Read what `to_dict` gave.

        Raises:
            EvaluationError: Something is missing or of another kind.
        """
        try:
            return super().from_dict(values)
        except ValueError as error:
            raise EvaluationError(
                f"These scores do not say what swapped domain tokens do: {error}. Train again."
            ) from error

    def verdict(self) -> str:
        """Say in a sentence whether the tokens of a domain say something of it."""
        gain, level = self.own_minus_swapped, f"{100 * BOOTSTRAP.level:g} % interval"
        effect = "matter to" if gain.low > 0 else "do not help"
        return (
            f"Domain tokens {effect} the texts: a domain's own bring {100 * gain.value:.2f} points "
            f"({level} {100 * gain.low:.2f} to {100 * gain.high:.2f}) more training images of "
            f"{self.domain} to their text than another domain's, {100 * self.own:.2f} % for "
            f"{100 * self.swapped:.2f} %."
        )


def compare_domain_texts(
    prompt: PromptOfIdentities,
    images: Tensor,
    labels: Tensor,
    variants: Tensor,
    domains: Sequence[str],
    *,
    seed: int = 0,
) -> tuple[DomainTexts, ...]:
    """Find the closest text of each image, by cosine, among those of its domain.

    Args:
        prompt: With tokens of K domains, two or more.
        images: (N, d) features in the joint space.
        labels: (N,) identity of each.
        variants: (N,) sentence that each image goes with.
        domains: Names of the K domains.
        seed: Seed of the resamples.

    Returns:
        One entry for each domain that has images.
    """
    assert prompt.domains is not None
    place = prompt.domains.to(labels.device)
    banks = [prompt.bank(), *(prompt.swapped(shift) for shift in range(1, len(domains)))]
    neutral = prompt.neutral()[None].expand(len(banks[0]), -1, -1)
    own, *swapped, mean = (
        _find_right(images, bank, labels, variants, place) for bank in (*banks, neutral)
    )
    other = torch.stack(swapped).mean(0)
    return tuple(
        DomainTexts(
            domain=name,
            own=float(own[rows].mean()),
            swapped=float(other[rows].mean()),
            neutral=float(mean[rows].mean()),
            own_minus_swapped=_difference(own[rows] - other[rows], labels[rows], seed),
            images=int(rows.sum()),
            identities=int((place == number).sum()),
        )
        for number, name in enumerate(domains)
        if (rows := place[labels] == number).any()
    )


def _find_right(
    images: Tensor, bank: Tensor, labels: Tensor, variants: Tensor, place: Tensor
) -> Tensor:
    """Say which images lie closest to their identity's text, (N,) float64 of ones and zeros."""
    texts = torch.nn.functional.normalize(bank.to(images.device).float(), dim=2)
    right = torch.zeros(len(images), dtype=torch.float64)
    for variant in variants.unique().tolist():
        for domain in place[labels].unique().tolist():
            rows = (variants == variant) & (place[labels] == domain)
            known = (place == domain).nonzero()[:, 0]
            best = known[(images[rows].float() @ texts[variant, known].T).argmax(1)]
            right[rows.cpu()] = (best == labels[rows]).double().cpu()
    return right


def _difference(changes: Tensor, labels: Tensor, seed: int) -> Difference:
    """Give the mean change of images and its interval over drawn identities."""
    names, rows = labels.cpu().unique(return_inverse=True)
    bootstrap = Bootstrap(seed=seed)
    drawn = resampled_means(bootstrap.weights(len(names)), changes[:, None], rows)[:, 0]
    return summarise_changes(float(changes.mean()), drawn, bootstrap)
