"""The score from which on two images count as one identity, chosen on images not tested on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptreid.errors import EvaluationError
from promptreid.evaluation.embeddings import Embeddings
from promptreid.evaluation.verification import verify


@dataclass(frozen=True)
class Threshold:
    """A threshold and what it rests on.

    Attributes:
        threshold: Two images count as one identity from this cosine on.
        far: Share of pairs of different identities that it may accept.
        pairs: Number of such pairs that it was chosen on.
    """

    threshold: float
    far: float
    pairs: int

    def to_dict(self) -> dict[str, float | int]:
        """Return all fields, as a checkpoint's metadata hold them under "verification"."""
        return {"threshold": self.threshold, "far": self.far, "pairs": self.pairs}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Threshold:
        """Read what `to_dict` gave."""
        return cls(float(values["threshold"]), float(values["far"]), int(values["pairs"]))


@dataclass(frozen=True)
class Comparison:
    """Whether two images show one identity. True where they do.

    Attributes:
        score: Cosine of the two embeddings.
        threshold: From which score on they count as one identity.
        far: Share of pairs of different identities that the threshold accepted where it was chosen.
    """

    score: float
    threshold: float
    far: float

    @property
    def same(self) -> bool:
        """Whether the score reaches the threshold."""
        return self.score >= self.threshold

    def __bool__(self) -> bool:
        return self.same


def choose_threshold(
    embeddings: Embeddings, far: float = 1e-3, *, same_camera: str = "auto"
) -> Threshold:
    """Choose the lowest threshold that keeps a false accept rate, on all pairs of some images.

    Args:
        embeddings: Of validation images of at least two identities, never of test images. Each
            unordered pair counts once.
        far: The false accept rate, above 0 and below 1.
        same_camera: As in `verify`; concerns pairs of one identity only.

    Raises:
        EvaluationError: The rate is out of range or too small for the number of pairs; no image
            has another of its identity, or all show one.
    """
    (result,) = verify(embeddings, embeddings, same_camera=same_camera, fars=(far,)).per_repeat
    point = result.point(far)
    if point.threshold is None:
        raise EvaluationError(
            f"A false accept rate of {far:g} cannot be measured on {point.impostors:,} pairs of "
            f"different identities; the smallest that can is {1 / point.impostors:.2g}. Give more "
            "images or a larger rate."
        )
    return Threshold(point.threshold, far, point.impostors)
