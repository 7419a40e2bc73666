"""What a gallery was used for, as clients see it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from promptreid.serve.bodies.change_bodies import Name, Text


class AuditRecordBody(BaseModel):
    """One use."""

    number: int = Field(description="Its place in the chain.")
    time: int = Field(description="Milliseconds since 1970, UTC.")
    digest: str = Field(description="Of its link; each covers the one before.")
    content: dict[str, Any] | None = Field(
        description="Kind, who asked, the answer; null where it was erased."
    )


class AuditHeadBody(BaseModel):
    """The end of the chain; noted elsewhere, it shows that the whole was not written anew."""

    count: int
    digest: str


class AuditList(BaseModel):
    """Uses, the latest first."""

    is_on: bool = Field(description="Whether uses are written down.")
    records: list[AuditRecordBody]
    next: int | None = Field(description="Send as `before` for earlier ones; null at the first.")
    head: AuditHeadBody


class AuditProblem(BaseModel):
    """Something in the chain that is not as it was written."""

    number: int
    problem: str


class AuditCheck(BaseModel):
    """Whether the chain holds."""

    head: AuditHeadBody
    problems: list[AuditProblem] = Field(description="Empty where nothing was changed.")


class ConfirmationBody(BaseModel):
    """What somebody says who has looked at an answer."""

    model_config = ConfigDict(extra="forbid")

    right: bool = Field(description="Whether the answer was right.")
    by: Name = Field(description="Who looked, by name.")
    words: Text = ""


class ConfirmedAnswer(BaseModel):
    """The record of a confirmation."""

    number: int
