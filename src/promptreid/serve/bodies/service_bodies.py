"""What a service says of itself."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from promptreid.serve.rights import Right


class LimitsBody(BaseModel):
    """What the service takes at most."""

    request_bytes: int
    pictures: int = Field(description="Pictures in one request.")
    picture_pixels: int = Field(description="Pixels of one picture.")


class AbilitiesBody(BaseModel):
    """What the model and the gallery allow."""

    verify: bool = Field(description="Whether the model has a threshold for two pictures.")
    activation: bool = Field(description="Whether it can show where it looks.")
    text: bool = Field(description="Whether words can be looked for.")
    audit: bool = Field(description="Whether uses are written down.")


class GalleryInfo(BaseModel):
    """What the gallery holds, what it can promise, and what the caller may do."""

    gallery: str = Field(description="Its name.")
    version: str = Field(description="Version of promptreid.")
    model: str | None = Field(description="Fingerprint of the model.")
    entries: int
    hidden: int
    identities: int
    calibrating: int = Field(description="Identities that p-values rest on.")
    aggregate: str
    keep: str
    rate: float = Field(description="The usual part of strangers that may be accepted.")
    least_rate: float = Field(description="The least rate that can be promised now.")
    accepting_score: float | None = Field(
        description="The score above which somebody is recognised; null where nobody can be."
    )
    needed: int = Field(description="Identities that the usual rate needs.")
    caller: str = Field(description="Name of the token that asked.")
    rights: list[Right] = Field(description="What it may do.")
    limits: LimitsBody
    abilities: AbilitiesBody


class StateBody(BaseModel):
    """Whether the service is there."""

    status: Literal["ok"]
