"""Whether training was worth it: the scores before and after it, on the same queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptreid.errors import EvaluationError
from promptreid.evaluation.ranking.scores import Scores
from promptreid.evaluation.uncertainty.intervals import (
    FEWEST_IDENTITIES,
    Difference,
    Evidence,
    paired_difference,
)
from promptreid.evaluation.uncertainty.resampling import BOOTSTRAP
from promptreid.json_record import JsonRecord

GAINED = ("mAP", "rank-1", "mINP")
"""Scores that are set side by side; the first gives the verdict."""

_VERDICTS = {
    "better": "Training was worth it.",
    "worse": "Training made it worse.",
    "unclear": "No clear difference: training has not shown its worth on these images.",
}


@dataclass(frozen=True)
class Gain(JsonRecord):
    """One score before and after training.

    Attributes:
        before: The score of the untrained model.
        after: The score of the trained model.
        difference: After minus before, with the interval that holds 95 % of the differences when
            the test identities are drawn anew, the same draws for both.
    """

    before: float
    after: float
    difference: Difference

    @property
    def verdict(self) -> str:
        """Give "better" or "worse" where the interval leaves no doubt, else "unclear"."""
        if self.difference.low > 0:
            return "better"
        return "worse" if self.difference.high < 0 else "unclear"

    def to_dict(self) -> dict[str, Any]:
        """Return all fields and the verdict, JSON-ready."""
        return {**super().to_dict(), "verdict": self.verdict}


@dataclass(frozen=True)
class Worth:
    """What training gained on one test set.

    Attributes:
        untrained: What was scored before, in words.
        gains: By score, `GAINED`.
        identities: Number of test identities that the intervals are drawn from.
    """

    untrained: str
    gains: Mapping[str, Gain]
    identities: int

    @property
    def verdict(self) -> str:
        """Give the verdict on mAP."""
        return self.gains[GAINED[0]].verdict

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, JSON-ready."""
        return {
            "untrained": self.untrained,
            "verdict": self.verdict,
            "identities": self.identities,
            "level": BOOTSTRAP.level,
            **{name: gain.to_dict() for name, gain in self.gains.items()},
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Worth:
        """Read what `to_dict` gave.

        Raises:
            EvaluationError: Something is missing or of another kind.
        """
        try:
            gains = {name: Gain.from_dict(record[name]) for name in GAINED}
            return cls(str(record["untrained"]), gains, int(record["identities"]))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise EvaluationError(
                f"These scores do not say what training gained as training writes it: {error!r}. "
                "Train again."
            ) from error


def training_worth(before: Scores, after: Scores, *, untrained: str) -> Worth:
    """Compare a trained model with what it was before, on the same queries and gallery.

    Args:
        before: Scores of the untrained model.
        after: Scores of the trained one, by the same protocol.
        untrained: What the untrained model is, in words.

    Raises:
        EvaluationError: The two were not scored on the same queries.
    """
    first, second = Evidence(after), Evidence(before)
    differences = paired_difference(first, second)
    gains = {
        name: Gain(before.values[name], after.values[name], differences[name]) for name in GAINED
    }
    return Worth(untrained, gains, len(first.identities()))


def worth_text(values: Mapping[str, Any]) -> str:
    """Say in a few lines what training gained, from what `Worth.to_dict` gave."""
    lines = [f"Before training ({values['untrained']}) and after:"]
    for name in GAINED:
        gain = values[name]
        change = gain["difference"]
        low, high = (f"{100 * change[end]:+.1f}" for end in ("low", "high"))
        lines.append(
            f"  {name:6}  {100 * gain['before']:5.1f} -> {100 * gain['after']:5.1f}  "
            f"{100 * change['value']:+6.1f}  (95 % interval {low} to {high})"
        )
    lines.append(_VERDICTS[values["verdict"]])
    if values["identities"] < FEWEST_IDENTITIES:
        lines.append(f"There are only {values['identities']} test identities: take it as a hint.")
    return "\n".join(lines)
