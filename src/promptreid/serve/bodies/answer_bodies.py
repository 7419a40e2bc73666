"""Answers of a service: who a picture shows, what was enrolled, who is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from promptreid.gallery.records.record_rows import EntryRow, IdentityRow
from promptreid.gallery.searching.answer import Answer, Candidate, Neighbour
from promptreid.gallery.searching.nobody import least_rate


class IdentityBody(BaseModel):
    """Somebody who is enrolled."""

    number: int = Field(description="Names it in addresses; never used again.")
    name: str
    note: str
    version: int = Field(description="Changes with every change of it; send it with a change.")
    entries: int = Field(description="Number of pictures, the hidden ones included.")
    hidden: int = Field(description="How many of them are hidden.")
    cover: int | None = Field(description="The entry whose picture stands for it.")

    @classmethod
    def make(cls, row: IdentityRow, cover: int | None) -> Self:
        """Describe an identity."""
        return cls(
            number=row.identity,
            name=row.name,
            note=row.note,
            version=row.version,
            entries=row.entries,
            hidden=row.hidden,
            cover=cover,
        )


class EntryBody(BaseModel):
    """An enrolled picture; its pixels are at `/v1/entries/{entry}/picture`."""

    entry: int = Field(description="Its number, which is never used again.")
    identity: int = Field(description="Number of its identity.")
    content_hash: str = Field(description="SHA-256 of what is enrolled, in hex.")
    camera: str | None
    time: float | None = Field(description="Seconds since 1970, UTC.")
    domain: str
    attributes: dict[str, str]
    hidden: bool
    version: int

    @classmethod
    def make(cls, row: EntryRow) -> Self:
        """Describe an entry; where its file lies is nobody's business."""
        return cls(
            entry=row.entry,
            identity=row.identity,
            content_hash=row.content_hash,
            camera=row.camera,
            time=row.time,
            domain=row.domain,
            attributes=dict(row.attributes),
            hidden=row.hidden,
            version=row.version,
        )


class CandidateBody(BaseModel):
    """Somebody a picture may show."""

    identity: str = Field(description="Name.")
    number: int | None = Field(description="Number of the identity; null if it went meanwhile.")
    score: float = Field(description="Cosine, by the gallery's way to make one of several.")
    p: float = Field(description="At most this part of strangers scores so high.")
    entry: int = Field(description="The enrolled picture that is most alike.")
    entry_score: float = Field(description="Cosine to that picture.")
    camera: str | None = Field(description="Camera of that picture.")
    time: float | None = Field(description="When it was taken, in seconds since 1970.")
    domain: str
    attributes: dict[str, str]

    @classmethod
    def make(cls, candidate: Candidate, entries: Mapping[int, EntryRow]) -> Self:
        """Describe a candidate, with what is known of the picture that is most alike."""
        return cls(**candidate.to_dict(), **describe_entry(entries.get(candidate.entry)))


def describe_entry(row: EntryRow | None) -> dict[str, Any]:
    """Say what is known of the picture of a candidate; nothing where it went meanwhile."""
    if row is None:
        unknown = dict.fromkeys(("number", "camera", "time"))
        return {**unknown, "domain": "", "attributes": {}}
    return {
        "number": row.identity,
        "camera": row.camera,
        "time": row.time,
        "domain": row.domain,
        "attributes": dict(row.attributes),
    }


class DeniedBody(BaseModel):
    """Somebody whom the picture is not: a negative example of them is more alike."""

    identity: str
    score: float = Field(description="The score that they would have had.")
    negative: int = Field(description="Number of the negative example.")
    negative_score: float = Field(description="Cosine to it.")


class AnswerBody(BaseModel):
    """What is said of one picture."""

    picture: str = Field(description="The name of the picture, as it was sent.")
    verdict: Literal["identity", "nobody", "undecided"] = Field(
        description="`undecided` where too few are enrolled for the rate."
    )
    identity: str | None = Field(description="Name of who it shows; null for nobody.")
    score: float | None = Field(description="The best candidate's; null without a candidate.")
    p: float = Field(description="Its p-value; 1 without a candidate.")
    rate: float = Field(description="The part of strangers that is accepted at most.")
    runner_up: str | None
    gap: float | None = Field(description="Score of the first less that of the second.")
    identities: int = Field(description="How many identities the p-value rests on.")
    least_rate: float = Field(description="The least rate that so many can promise.")
    explanation: str = Field(description="What the verdict rests on, as a sentence.")
    candidates: list[CandidateBody] = Field(description="Best first.")
    denied: list[DeniedBody] = Field(description="Who is left out because of a negative example.")

    @classmethod
    def make(
        cls, picture: str, answer: Answer, entries: Mapping[int, EntryRow], *, top: int
    ) -> Self:
        """Describe an answer with its first candidates."""
        values = answer.to_dict()
        del values["candidates"]
        return cls(
            **values,
            picture=picture,
            least_rate=least_rate(answer.identities),
            explanation=answer.explanation,
            candidates=[CandidateBody.make(one, entries) for one in answer.candidates[:top]],
        )


class SearchAnswer(BaseModel):
    """An answer for each picture that was sent, in order."""

    answers: list[AnswerBody]


class NeighbourBody(BaseModel):
    """An enrolled picture that is alike."""

    entry: int
    identity: str
    score: float = Field(description="Cosine.")


class NearestAnswer(BaseModel):
    """The enrolled pictures most alike to each that was sent, best first."""

    neighbours: list[list[NeighbourBody]]

    @classmethod
    def make(cls, neighbours: Sequence[Sequence[Neighbour]]) -> Self:
        """Describe neighbours."""
        return cls(
            neighbours=[
                [NeighbourBody(**one.to_dict()) for one in of_picture] for of_picture in neighbours
            ]
        )


class PairAnswer(BaseModel):
    """Whether two pictures show one identity."""

    same: bool
    score: float = Field(description="Cosine.")
    threshold: float = Field(description="From which score on they are the same.")
    far: float = Field(description="The part of pairs of strangers that it accepts at most.")
    rarity: str = Field(description="How rare such a score is among strangers, as a sentence.")


class EnrolledPicture(BaseModel):
    """What became of one picture."""

    picture: str = Field(description="Its name, as it was sent.")
    entry: int | None = Field(
        description="The entry that holds its content; none where it is refused."
    )
    status: Literal["enrolled", "present", "other identity", "refused"] = Field(
        description="`present`: it was enrolled before. `other identity`: under another name, "
        "which was left. `refused`: it was erased and must not be enrolled again."
    )
    identity: str | None = Field(
        description="The name that it is enrolled under; none where it is refused."
    )


class EnrolAnswer(BaseModel):
    """What became of pictures that were sent to be enrolled; it is on the disk."""

    added: int
    present: int
    pictures: list[EnrolledPicture]


class IdentityList(BaseModel):
    """A page of who is enrolled."""

    identities: list[IdentityBody]
    total: int = Field(description="How many there are on all pages.")
    next: int | None = Field(description="Send as `after` for the next page; null on the last.")


class IdentityDetails(BaseModel):
    """Somebody who is enrolled, with all pictures."""

    identity: IdentityBody
    entries: list[EntryBody]


class CountAnswer(BaseModel):
    """How many pictures a change was of."""

    entries: int


class ErasedAnswer(BaseModel):
    """What was erased, and proven to be gone."""

    entries: int
    identities: int = Field(description="Identities that have no picture left and went too.")
    pieces: int = Field(
        description="Pieces of pictures and vectors that were looked for in every file of the "
        "store afterwards, and not found."
    )
