"""What a page of search results shows."""

from __future__ import annotations

from dataclasses import dataclass

from promptreid.figures.photographs import Picture
from promptreid.text.number_words import alike_digits


@dataclass(frozen=True, eq=False)
class FoundPicture:
    """An enrolled picture.

    Attributes:
        picture: (H, W, 3) pixels; None where the file is not there any more.
        name: What it is called; empty where that is not known.
        score: Its own score.
        facts: What is known of it, such as "camera gate".
    """

    picture: Picture | None
    name: str
    score: float
    facts: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class FoundCandidate:
    """A place in a ranking.

    Attributes:
        rank: From 1 on.
        identity: Who is shown; None where nobody knows.
        score: What the ranking is by.
        p: At most this part of strangers scores so high; None where that cannot be said.
        best: The picture that is most alike.
        others: Further pictures of the same identity, best first.
    """

    rank: int
    identity: str | None
    score: float
    p: float | None
    best: FoundPicture
    others: tuple[FoundPicture, ...] = ()


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What was found for one query.

    Attributes:
        query: What the query is called, or the sentence.
        picture: Its pixels; None for a sentence alone.
        verdict: "identity", "nobody", "undecided", or "ranked" where nothing is to be decided.
        identity: Who it is, for "identity".
        explanation: What the verdict rests on, as a sentence.
        rate: The part of strangers that is accepted; None where nobody is.
        accepted: How many of the candidates stand above the line of "nobody"; None where no line
            can be drawn.
        candidates: Best first.
        sentence: Whether the query is a sentence, alone or beside the picture.
    """

    query: str
    picture: Picture | None
    verdict: str
    identity: str | None
    explanation: str
    rate: float | None
    accepted: int | None
    candidates: tuple[FoundCandidate, ...]
    sentence: bool = False

    @property
    def digits(self) -> int:
        """How many digits of the scores tell them from 1: three, or what `alike_digits` says."""
        alike = alike_digits(candidate.score for candidate in self.candidates)
        return alike if alike > 4 else 3


@dataclass(frozen=True, eq=False)
class ResultsPage:
    """All of a page.

    Attributes:
        title: Its title.
        searched: Sentence on what was searched, by which model.
        remarks: Sentences that belong beside every answer.
        results: One for each query.
        made: The day it was written.
        version: Version of the program.
        pixelated: Whether pictures are shown as mosaics.
    """

    title: str
    searched: str
    remarks: tuple[str, ...]
    results: tuple[SearchResult, ...]
    made: str
    version: str
    pixelated: bool = False
