"""The score from which on two images count as one identity, and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass

from promptreid.evaluation.thresholds.stranger_scores import StrangerScores
from promptreid.json_record import JsonRecord
from promptreid.text.number_words import alike_digits, write_threshold

RATES = (1e-3, 1e-2, 1e-1)
"""False accept rates for a threshold, the most wanted first."""

PEOPLE = ("unseen", "crossed", "seen", "")
"""What was known of the identities that a threshold was chosen on: the model has not learned from
them; it has, but the scores are those of models that have not (cross-fitting); it has; not said."""

_FEW = 20  # identities with which a threshold is a rough guide


@dataclass(frozen=True)
class Threshold(JsonRecord):
    """A threshold and what it rests on, as a checkpoint holds it under "verification".

    Attributes:
        threshold: The cosine from which on two images count as one identity.
        far: Share of pairs of different identities that it may accept.
        pairs: Number of such pairs that it was chosen on.
        images: Number of images that make these pairs; 0 where that was not noted.
        identities: Number of identities that the images show; 0 where that was not noted.
        source: Which images these were, in words; may be empty.
        people: One of `PEOPLE`. A threshold that was chosen on identities "seen" in training is
            optimistic: the model has learned to tell just these apart, so of pairs of strangers it
            accepts more than `far`.
        far_interval: Between which rates the threshold accepts such pairs when identities are drawn
            anew, with 95 % confidence; None where that was not noted.
        genuine: Number of pairs of one identity among the images; 0 where that was not noted.
        tar: Share of these that the threshold accepts; None where there are none.
        strangers: How the pairs of different identities score; None where that was not kept.

    Raises:
        ValueError: `people` is none of these.
    """

    threshold: float
    far: float
    pairs: int
    images: int = 0
    identities: int = 0
    source: str = ""
    people: str = ""
    far_interval: tuple[float, float] | None = None
    genuine: int = 0
    tar: float | None = None
    strangers: StrangerScores | None = None

    def __post_init__(self) -> None:
        if self.people not in PEOPLE:
            raise ValueError(f"people is {self.people!r}, none of {', '.join(map(repr, PEOPLE))}")

    def __str__(self) -> str:
        """Say in a few lines what it is and what it rests on."""
        lines = [
            f"same identity from cosine {write_threshold(self.threshold)} on",
            f"  accepts at most 1 in {round(1 / self.far):,} of the pairs of strangers",
        ]
        if self.far_interval is not None:
            low, high = self.far_interval
            lines.append(f"  with other identities {low:.2%} to {high:.2%} of them (95 % interval)")
        if self.tar is not None:
            lines.append(f"  finds {self.tar:.1%} of the {self.genuine:,} pairs of one identity")
        lines.append(
            f"  chosen on {self.pairs:,} pairs of {self.images:,} images of "
            f"{self.identities:,} identities:"
        )
        lines.append(f"  {self.source or 'which images these were is not noted'}")
        if self.people == "seen":
            lines.append("  the model was trained on them, so it accepts more of real strangers")
        if self.identities < _FEW:
            lines.append("  few identities: take it as a rough guide")
        return "\n".join(lines)

    def compare(self, score: float) -> PairComparison:
        """Judge the cosine of two images."""
        reached = None if self.strangers is None else self.strangers.reached(score)
        return PairComparison(score, self.threshold, self.far, self.source, reached, self.pairs)


@dataclass(frozen=True)
class PairComparison:
    """Whether two images show one identity. True where they do.

    Attributes:
        score: Cosine of the two embeddings.
        threshold: The score from which on they count as one identity.
        far: Share of pairs of different identities that the threshold accepted where it was chosen.
        source: On which images that was, in words; of other images it may accept another share,
            and of identities that training has not seen it accepts more than of those it has.
        reached: How many of the pairs of different identities that it was chosen on score at least
            as much, never told too small; None where their scores were not kept.
        pairs: Number of these pairs.
    """

    score: float
    threshold: float
    far: float
    source: str = ""
    reached: int | None = None
    pairs: int = 0

    @property
    def same(self) -> bool:
        """Whether the score reaches the threshold."""
        return self.score >= self.threshold

    @property
    def one_in(self) -> int | None:
        """One in so many pairs of strangers scores so high, or fewer; None where it is not known.

        Rounded down, to two digits from one hundred on.
        """
        if self.reached is None or not self.pairs:
            return None
        number = self.pairs // max(self.reached, 1)
        unit = 10 ** max(0, len(str(number)) - 2)
        return number // unit * unit

    def __bool__(self) -> bool:
        return self.same

    def __str__(self) -> str:
        verdict = "the same" if self.same else "not the same"
        side = "from" if self.same else "below"
        digits = alike_digits((self.score, self.threshold))
        text = f"{verdict}: cosine {self.score:.{digits}f}, {side} {self.threshold:.{digits}f}"
        return f"{text}; {self.rarity}" if self.rarity else text

    @property
    def rarity(self) -> str:
        """How often strangers score so high, in words; empty where that is not known."""
        if self.reached is None or self.one_in is None:
            return ""
        if not self.reached:
            return f"fewer than 1 in {self.one_in:,} strangers score so high"
        if self.one_in < 2:
            return f"{self.reached / self.pairs:.0%} of strangers score so high"
        return f"1 in {self.one_in:,} strangers scores so high"
