"""Negative examples: pictures of which somebody said that they do not show an identity."""

from __future__ import annotations

from pydantic import BaseModel, Field


class NegativeBody(BaseModel):
    """A picture that does not show an identity."""

    negative: int = Field(description="Its number.")
    entry: int | None = Field(
        description="The entry that it is; null for one that is not enrolled."
    )
    shows: str | None = Field(description="Name of who that entry shows.")


class NegativeList(BaseModel):
    """All negative examples of an identity."""

    negatives: list[NegativeBody]


class NegativeNumbers(BaseModel):
    """Numbers of the negative examples that were made."""

    negatives: list[int]
