"""What a gallery says of a picture: who it shows, or nobody, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

from promptreid.gallery.searching.nobody import identities_needed, least_rate
from promptreid.json_record import JsonRecord
from promptreid.text import number_words


@dataclass(frozen=True)
class Candidate(JsonRecord):
    """Somebody a picture may show.

    Attributes:
        identity: Name.
        score: Cosine, by the gallery's way to make one score of several images.
        p: At most this part of strangers scores so high.
        entry: Number of the enrolled image that is most alike.
        entry_score: Cosine to it.
    """

    identity: str
    score: float
    p: float
    entry: int
    entry_score: float


@dataclass(frozen=True)
class Neighbour(JsonRecord):
    """An enrolled image that is alike.

    Attributes:
        entry: Its number.
        identity: Name of who it shows.
        score: Cosine.
    """

    entry: int
    identity: str
    score: float


@dataclass(frozen=True)
class Denied(JsonRecord):
    """Somebody who scores high, but of whom a negative example is more alike than any image.

    Attributes:
        identity: Name.
        score: As in `Candidate`.
        negative: Number of the negative example.
        negative_score: Cosine to it.
    """

    identity: str
    score: float
    negative: int
    negative_score: float


@dataclass(frozen=True)
class Answer(JsonRecord):
    """An answer about one picture.

    Attributes:
        verdict: "identity", "nobody", or "undecided" where too few are enrolled for the rate.
        identity: Name of who it shows; None for "nobody" and "undecided".
        score: The best candidate's score; None where no enrolled image could answer.
        p: Its p-value; 1 where there is no candidate.
        rate: The part of strangers that is accepted at most.
        runner_up: Name of the second candidate; None without one.
        gap: Score of the first less that of the second; None without a second.
        identities: Number of identities that the p-value rests on.
        candidates: Best first.
        denied: Who is left out because of a negative example, best first.
    """

    verdict: str
    identity: str | None
    score: float | None
    p: float
    rate: float
    runner_up: str | None
    gap: float | None
    identities: int
    candidates: tuple[Candidate, ...]
    denied: tuple[Denied, ...] = ()

    @property
    def explanation(self) -> str:
        """Say in sentences what the verdict rests on."""
        return " ".join([self._explain_verdict(), *map(_explain_denial, self.denied)])

    def _explain_verdict(self) -> str:
        asked = number_words.rate(self.rate)
        if self.verdict == "undecided":
            least = number_words.percent(least_rate(self.identities))
            return (
                f"With {self.identities:,} identities no rate below {least} can be promised; "
                f"{asked} needs {identities_needed(self.rate):,} of them."
            )
        if self.score is None:
            if self.denied:
                return "Nobody else fits the conditions."
            return "No enrolled image fits the conditions."
        side = "at most" if self.verdict == "identity" else "more than"
        return (
            f"p {self.p:.4f} from {self.identities:,} identities is {side} {self.rate:g}: at most "
            f"{asked} of strangers are taken for somebody."
        )


def decide(
    candidates: tuple[Candidate, ...],
    *,
    rate: float,
    identities: int,
    denied: tuple[Denied, ...] = (),
) -> Answer:
    """Answer from candidates, best first.

    Args:
        candidates: Who it may be; empty where nobody enrolled could answer.
        rate: The part of strangers that may be accepted.
        identities: Size of the null sample.
        denied: Who is left out because of a negative example.
    """
    best = candidates[0] if candidates else None
    second = candidates[1] if len(candidates) > 1 else None
    p = 1.0 if best is None else best.p
    verdict = "nobody"
    if best is not None and rate < least_rate(identities):
        verdict = "undecided"
    elif best is not None and p <= rate:
        verdict = "identity"
    return Answer(
        verdict=verdict,
        identity=best.identity if best is not None and verdict == "identity" else None,
        score=None if best is None else best.score,
        p=p,
        rate=rate,
        runner_up=None if second is None else second.identity,
        gap=None if best is None or second is None else best.score - second.score,
        identities=identities,
        candidates=candidates,
        denied=denied,
    )


def _explain_denial(denied: Denied) -> str:
    return (
        f"{denied.identity} ({denied.score:.4f}) is left out: the picture is more like negative "
        f"example {denied.negative} ({denied.negative_score:.4f}) than like any image of "
        f"{denied.identity}."
    )
