"""Answers about words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, Field

from promptreid.gallery.records.record_rows import EntryRow
from promptreid.gallery.texts.text_answer import TextAnswer
from promptreid.serve.bodies.answer_bodies import describe_entry


class TextCandidateBody(BaseModel):
    """Somebody who may fit the words."""

    identity: str = Field(description="Name.")
    number: int | None = Field(description="Number of the identity; null if it went meanwhile.")
    score: float = Field(description="What the ranking is by.")
    text_score: float = Field(description="Cosine to the words.")
    image_score: float | None = Field(description="Cosine to the picture; null without one.")
    entry: int = Field(description="The enrolled picture that fits best.")
    camera: str | None
    time: float | None
    domain: str
    attributes: dict[str, str]


class TextSearchAnswer(BaseModel):
    """Who fits some words best."""

    text: str
    weight: float = Field(description="Share of the words beside a picture.")
    searched: int = Field(description="Pictures that could answer.")
    missing: int = Field(description="Pictures that could not, without a vector for words.")
    remark: str = Field(description="How far the model's words can be trusted; may be empty.")
    explanation: str = Field(description="What the ranking is worth, in sentences.")
    candidates: list[TextCandidateBody] = Field(description="Best first.")

    @classmethod
    def make(cls, answer: TextAnswer, entries: Mapping[int, EntryRow]) -> Self:
        """Describe an answer, with what is known of the pictures."""
        candidates = [
            TextCandidateBody(**one.to_dict(), **describe_entry(entries.get(one.entry)))
            for one in answer.candidates
        ]
        return cls(
            text=answer.sentence,
            weight=answer.weight,
            searched=answer.searched,
            missing=answer.missing,
            remark=answer.remark,
            explanation=answer.explanation,
            candidates=candidates,
        )
