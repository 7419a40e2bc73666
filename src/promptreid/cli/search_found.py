"""What a search found: as words, as JSON, and on a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptreid.cli.search_words import answer_text, ranking_text, sentence_text
from promptreid.cli.searched_place import SearchedPlace
from promptreid.gallery.searching.answer import Answer, Neighbour
from promptreid.gallery.searching.filters import Filters
from promptreid.gallery.texts.text_answer import TextAnswer
from promptreid.gallery.texts.text_search import TextQuery
from promptreid.gallery.vector_model import GalleryImage
from promptreid.text.lists import counted
from promptreid.version import __version__

if TYPE_CHECKING:
    from promptreid.pages.search_page.gather_results import PictureGatherer
    from promptreid.pages.search_page.search_results import SearchResult

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


@dataclass(frozen=True)
class Found:
    """What was found for one picture or sentence.

    Attributes:
        image: The picture; None for a sentence alone.
        answer: Who it shows, or who fits the sentence; None where pictures are ranked alone.
        neighbours: Pictures that are most alike, best first.
    """

    image: Path | None
    answer: Answer | TextAnswer | None
    neighbours: Sequence[Neighbour] = ()

    @property
    def name(self) -> str:
        """What was asked about, for people."""
        sentence = f'"{self.answer.sentence}"' if isinstance(self.answer, TextAnswer) else ""
        return " and ".join(part for part in (str(self.image or ""), sentence) if part)

    def text(self, opened: SearchedPlace, *, top: int) -> str:
        """Say it in words."""
        if isinstance(self.answer, TextAnswer):
            return sentence_text(self.name, self.answer, opened)
        assert self.image is not None
        if self.answer is None:
            return ranking_text(self.image, self.neighbours, opened)
        return answer_text(self.image, self.answer, opened, top=top)

    def to_dict(self, opened: SearchedPlace) -> dict[str, Any]:
        """Return it as JSON has it."""
        asked = {"image": None if self.image is None else str(self.image)}
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
    """Search for image files, for a sentence, or for both together."""
    gallery = opened.gallery
    images = [Path(str(query.pixels)) for query in queries]
    if request.text is not None:
        asked: list[tuple[Path | None, GalleryImage | None]] = [*zip(images, queries, strict=True)]
        return [
            Found(
                path,
                gallery.search_text(
                    TextQuery(request.text, query, request.weight, request.templates),
                    top=request.top,
                    filters=request.filters,
                    by_identity=opened.named,
                ),
            )
            for path, query in asked or [(None, None)]
        ]
    alike: list[list[Neighbour]] = [[] for _ in queries]
    if request.pictures or request.neighbours:
        several = request.top if request.pictures else max(request.top, _NEIGHBOURS)
        alike = gallery.nearest(
            queries, top=several, filters=request.filters, rerank=request.rerank
        )
    if request.pictures:
        return [Found(image, None, near) for image, near in zip(images, alike, strict=True)]
    answers = gallery.search(queries, top=request.top, filters=request.filters, rate=request.rate)
    return [Found(*one) for one in zip(images, answers, alike, strict=True)]


def write_search_page(
    page: Path, opened: SearchedPlace, found: Sequence[Found], *, top: int, pixelate: bool
) -> None:
    """Write what was found as one HTML page."""
    from promptreid.pages.search_page.gather_results import PictureGatherer
    from promptreid.pages.search_page.render_results import write_results
    from promptreid.pages.search_page.search_results import ResultsPage

    gatherer = PictureGatherer(opened.gallery, opened.name_picture, pixelate)
    results = tuple(_show(gatherer, one, named=opened.named, top=top) for one in found)
    asked = counted(len(found), "picture")
    if len(found) == 1:
        asked = found[0].name if found[0].image is None else found[0].image.name
    facts = opened.gallery.info()
    people = counted(facts.identities, "identity", "identities")
    who = f" of {people}" if opened.named else ""
    source = facts.model.get("source") or "an unknown model"
    title = f"{asked} searched for in {Path(opened.place).name or opened.place}"
    searched = f"Searched {counted(facts.entries, 'picture')}{who} in {opened.place}, by {source}."
    made = datetime.now(UTC).date().isoformat()
    remarks = tuple(opened.remarks)
    write_results(ResultsPage(title, searched, remarks, results, made, __version__, pixelate), page)


def _show(gatherer: PictureGatherer, found: Found, *, named: bool, top: int) -> SearchResult:
    if isinstance(found.answer, TextAnswer):
        return gatherer.show_sentence(found.image, found.answer, named=named)
    assert found.image is not None
    if found.answer is None:
        return gatherer.show_ranking(found.image, found.neighbours, named=named)
    return gatherer.show_answer(found.image, found.answer, found.neighbours, top=top)
