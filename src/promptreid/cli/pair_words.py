"""What the comparison of two images gives: in words, and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptreid.text.number_words import alike_digits
from promptreid.text.safe import visible
from promptreid.text.wrap import wrapped

if TYPE_CHECKING:
    from promptreid.evaluation.thresholds.threshold import PairComparison, Threshold


def pair_text(first: Path, second: Path, answer: PairComparison) -> str:
    """Say whether two images show one identity, and how rare such a score is."""
    verdict, side = ("THE SAME", "reaches") if answer.same else ("NOT THE SAME", "is below")
    digits = alike_digits((answer.score, answer.threshold))
    lines = [
        visible(f"{verdict}: {first} and {second}"),
        f"  score {answer.score:.{digits}f} {side} the threshold {answer.threshold:.{digits}f}",
    ]
    return "\n".join([*lines, *([f"  {answer.rarity}"] if answer.rarity else [])])


def basis_text(chosen: Threshold) -> str:
    """Say what a threshold rests on."""
    text = wrapped(
        f"The threshold accepts at most 1 in {round(1 / chosen.far):,} pairs of strangers; it was "
        f"chosen on {chosen.pairs:,} pairs of {chosen.images:,} {chosen.source or 'images'}."
    )
    if chosen.people == "seen":
        text += "\nThe model was trained on these people: real strangers score higher."
    return text


def pair_record(first: Path, second: Path, answer: PairComparison) -> dict[str, Any]:
    """Return what a comparison gives as JSON has it."""
    return {
        "first": str(first),
        "second": str(second),
        "same": answer.same,
        "score": answer.score,
        "threshold": answer.threshold,
        "far": answer.far,
        "strangers_reaching": answer.reached,
        "strangers": answer.pairs,
        "one_in": answer.one_in,
    }
