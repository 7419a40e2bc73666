"""What a gallery says of a sentence: who fits it best, and how far to trust that."""

from __future__ import annotations

from dataclasses import dataclass

from promptreid.json_record import JsonRecord
from promptreid.text.lists import counted

UNDECIDED = (
    "Sentences only rank: whether nobody here fits cannot be decided, since no score of a sentence "
    "has been counted on strangers."
)


@dataclass(frozen=True)
class TextCandidate(JsonRecord):
    """Somebody who may fit a sentence, or an image that may.

    Attributes:
        identity: Name.
        score: What the ranking is by: the cosine to the sentence; beside a picture the weighted
            mean of both scores, each in standard deviations from the mean of all that may answer.
        entry: Number of the image that fits best.
        text_score: Cosine of its vector for sentences to the sentence.
        image_score: Cosine of its vector to the picture; None for a sentence alone.
    """

    identity: str
    score: float
    entry: int
    text_score: float
    image_score: float | None = None


@dataclass(frozen=True)
class TextAnswer(JsonRecord):
    """An answer about one sentence.

    Attributes:
        sentence: The sentence.
        weight: Share of the sentence beside a picture; 1 without one.
        candidates: Best first.
        searched: Images that could answer.
        missing: Images that could not, since they have no vector for sentences.
        remark: How far the model's text side can be trusted; empty where it was tuned.
    """

    sentence: str
    weight: float
    candidates: tuple[TextCandidate, ...]
    searched: int
    missing: int
    remark: str

    @property
    def explanation(self) -> str:
        """Say what the ranking is worth."""
        missing = ""
        if self.missing:
            missing = (
                f"{counted(self.missing, 'image has', 'images have')} no vector for sentences and "
                "cannot answer; `promptreid gallery reembed` with the gallery's own model makes it."
            )
        return " ".join(part for part in (UNDECIDED, self.remark, missing) if part)
