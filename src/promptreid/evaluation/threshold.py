"""The score from which on two images count as one identity, chosen on images not tested on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from promptreid.errors import EvaluationError
from promptreid.evaluation.embeddings import Embeddings
from promptreid.evaluation.float_order import next_above
from promptreid.evaluation.pairs import Pairs
from promptreid.evaluation.roc import allowed_accepts
from promptreid.evaluation.rules import camera_rule
from promptreid.evaluation.verification import check_rates, verify

RATES = (1e-3, 1e-2, 1e-1)
"""False accept rates for a threshold, the most wanted first."""


@dataclass(frozen=True)
class Threshold:
    """A threshold and what it rests on.

    Attributes:
        threshold: Two images count as one identity from this cosine on.
        far: Share of pairs of different identities that it may accept.
        pairs: Number of such pairs that it was chosen on.
        images: Number of images that make these pairs; 0 where that was not noted.
        identities: Number of identities that the images show, likewise.
        source: Which images these were, in words; may be empty. A threshold that was chosen on
            identities seen in training is optimistic: the model has learned to tell just these
            apart, so of pairs of strangers it accepts more than `far`.
    """

    threshold: float
    far: float
    pairs: int
    images: int = 0
    identities: int = 0
    source: str = ""

    def to_dict(self) -> dict[str, float | int | str]:
        """Return all fields, as a checkpoint's metadata hold them under "verification"."""
        return {
            "threshold": self.threshold,
            "far": self.far,
            "pairs": self.pairs,
            "images": self.images,
            "identities": self.identities,
            "source": self.source,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Threshold:
        """Read what `to_dict` gave; of the fields, only the first three must be there."""
        return cls(
            threshold=float(values["threshold"]),
            far=float(values["far"]),
            pairs=int(values["pairs"]),
            images=int(values.get("images", 0)),
            identities=int(values.get("identities", 0)),
            source=str(values.get("source", "")),
        )


@dataclass(frozen=True)
class Comparison:
    """Whether two images show one identity. True where they do.

    Attributes:
        score: Cosine of the two embeddings.
        threshold: From which score on they count as one identity.
        far: Share of pairs of different identities that the threshold accepted where it was chosen.
        source: On which images that was, in words; of other images it may accept another share,
            and of identities that training has not seen it accepts more than of those it has.
    """

    score: float
    threshold: float
    far: float
    source: str = ""

    @property
    def same(self) -> bool:
        """Whether the score reaches the threshold."""
        return self.score >= self.threshold

    def __bool__(self) -> bool:
        return self.same


def choose_threshold(
    embeddings: Embeddings, far: float = 1e-3, *, same_camera: str = "auto", source: str = ""
) -> Threshold:
    """Choose the lowest threshold that keeps a false accept rate, on all pairs of some images.

    It is one of the scores of all pairs. Pairs of one identity are not needed; without them it is
    the lowest score of two identities that is still accepted.

    Args:
        embeddings: Of validation images of at least two identities, never of test images. Each
            unordered pair counts once.
        far: The false accept rate, above 0 and below 1.
        same_camera: As in `verify`; concerns pairs of one identity only.
        source: Which images these are, in words; kept with the threshold.

    Raises:
        EvaluationError: The rate is out of range or too small for the number of pairs, or all
            images show one identity.
    """
    check_rates((far,))
    rule, _ = camera_rule(same_camera, embeddings)
    impostors = impostor_pairs(embeddings.identities)
    if not impostors:
        raise EvaluationError(
            f"A threshold is chosen on pairs of different identities, and {len(embeddings)} images "
            "of one make none. Give images of two identities at least."
        )
    if not allowed_accepts(far, impostors):
        raise EvaluationError(
            f"A false accept rate of {far:g} cannot be measured on {impostors:,} pairs of "
            f"different identities; the smallest that can is {1 / impostors:.2g}. Give more "
            "images or a larger rate."
        )
    if _genuine_pairs(embeddings, rule):
        (result,) = verify(embeddings, embeddings, same_camera=rule, fars=(far,)).per_repeat
        threshold = result.point(far).threshold
        assert threshold is not None
    else:
        threshold = _lowest_accepted(embeddings, allowed_accepts(far, impostors))
    return Threshold(
        threshold=threshold,
        far=far,
        pairs=impostors,
        images=len(embeddings),
        identities=len(set(embeddings.identities)),
        source=source,
    )


def smallest_rate(identities: Sequence[str], rates: Sequence[float] = RATES) -> float | None:
    """Give the first of some false accept rates that can be measured; None if none can.

    A rate can be measured when at least one pair of different identities may be accepted.

    Args:
        identities: Of the images, each unordered pair of which counts once.
        rates: Rates in the order of preference.
    """
    impostors = impostor_pairs(identities)
    return next((rate for rate in rates if allowed_accepts(rate, impostors)), None)


def impostor_pairs(identities: Sequence[str]) -> int:
    """Count the unordered pairs of images that show different identities."""
    return _pairs([len(identities)]) - _pairs(Counter(identities).values())


def _genuine_pairs(embeddings: Embeddings, rule: str) -> int:
    """Count the unordered pairs of one identity that the camera rule leaves."""
    same = _pairs(Counter(embeddings.identities).values())
    if rule == "keep" or embeddings.cameras is None:
        return same
    seen = zip(embeddings.identities, embeddings.cameras, strict=True)
    return same - _pairs(Counter(pair for pair in seen if pair[1] is not None).values())


def _pairs(counts: Iterable[int]) -> int:
    return sum(count * (count - 1) // 2 for count in counts)


def _lowest_accepted(embeddings: Embeddings, allowed: int) -> float:
    """Find the lowest score of two identities that at most `allowed` of such scores reach."""
    highest = torch.empty(0)
    for block in Pairs(embeddings, embeddings, exclude_camera=False, once=True):
        scores = torch.cat([highest.to(block.impostors.device), block.impostors.reshape(-1)])
        highest = scores.topk(min(allowed + 1, len(scores)), sorted=False).values
    refused = highest.min()
    accepted = highest[highest > refused]
    return float(accepted.min()) if len(accepted) else next_above(float(refused))
