"""What a search found: as words, as JSON, as a figure, and on a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptreid.actions.searches.search_words import answer_text, ranking_text, sentence_text
from promptreid.actions.searches.searched_place import SearchedPlace
from promptreid.gallery.searching.answer import Answer, Neighbour
from promptreid.gallery.searching.filters import Filters
from promptreid.gallery.texts.text_answer import TextAnswer
from promptreid.gallery.texts.text_search import TextQuery
from promptreid.gallery.vector_model import GalleryImage

_NEIGHBOURS = 64
"""Pictures that are looked at for further ones of the candidates of a page."""


@dataclass(frozen=True)
class SearchRequest:
    """What is asked for.

    Attributes:
        top: Candidates, or pictures where nobody knows whom they show.
        filters: Which pictures may answer.
        rate: The part of strangers that may be accepted; None for the gallery's.
        text: A sentence; None for pictures alone.
        templates: Sentences with `{text}` in the place of it.
        weight: Share of the sentence beside a picture.
        neighbours: Whether the pictures that are most alike are wanted beside an answer.
        pictures: Whether pictures are ranked, and nothing is answered.
        rerank: Whether these are put into the order of k-reciprocal re-ranking.
    """

    top: int
    filters: Filters
    rate: float | None = None
    text: str | None = None
    templates: tuple[str, ...] = ()
    weight: float = 0.5
    neighbours: bool = False
    pictures: bool = False
    rerank: bool = False


@dataclass(frozen=True, eq=False)
class Found:
    """What was found for one picture or sentence.

    Attributes:
        query: The picture; None for a sentence alone.
        label: What the picture is called; empty for a sentence alone.
        answer: Who it shows, or who fits the sentence; None where pictures are ranked alone.
        neighbours: Pictures that are most alike, best first.
    """

    query: GalleryImage | None
    label: str
    answer: Answer | TextAnswer | None
    neighbours: Sequence[Neighbour] = ()

    @property
    def name(self) -> str:
        """What was asked about, for people."""
        sentence = f'"{self.answer.sentence}"' if isinstance(self.answer, TextAnswer) else ""
        return " and ".join(part for part in (self.label, sentence) if part)

    @property
    def path(self) -> Path | None:
        """The file of the picture; None where it has none."""
        pixels = None if self.query is None else self.query.pixels
        return pixels if isinstance(pixels, Path) else None

    def text(self, opened: SearchedPlace, *, top: int) -> str:
        """Say it in words."""
        if isinstance(self.answer, TextAnswer):
            return sentence_text(self.name, self.answer, opened)
        if self.answer is None:
            return ranking_text(self.label, self.neighbours, opened)
        return answer_text(self.label, self.path, self.answer, opened, top=top)

    def to_dict(self, opened: SearchedPlace) -> dict[str, Any]:
        """Return it as JSON has it."""
        asked = {"image": self.label or None}
        if self.answer is None:
            pictures = [
                {
                    "picture": opened.name_picture(one.entry),
                    "score": one.score,
                    "entry": one.entry,
                    **({"identity": one.identity} if opened.named else {}),
                }
                for one in self.neighbours
            ]
            return {**asked, "verdict": "undecided", "pictures": pictures}
        candidates = [
            {**one.to_dict(), "picture": opened.name_picture(one.entry)}
            for one in self.answer.candidates
        ]
        verdict = {"verdict": "undecided"} if isinstance(self.answer, TextAnswer) else {}
        answer = {**verdict, **self.answer.to_dict(), "candidates": candidates}
        return {**asked, **answer, "explanation": self.answer.explanation}


def find_pictures(
    opened: SearchedPlace, queries: Sequence[GalleryImage], request: SearchRequest
) -> list[Found]:
    """Search for pictures, for a sentence, or for both together."""
    gallery = opened.gallery
    labels = [_label(query, number) for number, query in enumerate(queries, start=1)]
    asked = list(zip(queries, labels, strict=True))
    if request.text is not None:
        pairs: Sequence[tuple[GalleryImage | None, str]] = asked or [(None, "")]
        return [
            Found(
                query,
                label,
                gallery.search_text(
                    TextQuery(request.text, query, request.weight, request.templates),
                    top=request.top,
                    filters=request.filters,
                    by_identity=opened.named,
                ),
            )
            for query, label in pairs
        ]
    alike: list[list[Neighbour]] = [[] for _ in queries]
    if request.pictures or request.neighbours:
        several = request.top if request.pictures else max(request.top, _NEIGHBOURS)
        alike = gallery.nearest(
            queries, top=several, filters=request.filters, rerank=request.rerank
        )
    if request.pictures:
        return [Found(*one, None, near) for one, near in zip(asked, alike, strict=True)]
    answers = gallery.search(queries, top=request.top, filters=request.filters, rate=request.rate)
    return [
        Found(*one, answer, near) for one, answer, near in zip(asked, answers, alike, strict=True)
    ]


def _label(query: GalleryImage, number: int) -> str:
    """Name a picture by its file, or by its number among those that were given."""
    return str(query.pixels) if isinstance(query.pixels, Path) else f"picture {number}"
