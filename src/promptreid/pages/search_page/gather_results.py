"""The pictures and facts of search results, taken from a gallery."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from promptreid.data.images.boxes import ImageSource, parse_box
from promptreid.data.images.decode import decode_picture
from promptreid.data.images.image_files import UnreadableImage
from promptreid.figures.photographs import Picture, read_picture, shrink_picture
from promptreid.gallery.gallery import Gallery
from promptreid.gallery.records.record_rows import EntryRow
from promptreid.gallery.searching.answer import Answer, Neighbour
from promptreid.gallery.texts.text_answer import TextAnswer
from promptreid.gallery.vector_model import Pixels
from promptreid.pages.search_page.search_results import (
    FoundCandidate,
    FoundPicture,
    SearchResult,
)

LONGEST = 320
"""Pixels of the longer side of a picture on the page."""

MORE = 6
"""Further pictures that are shown of a candidate."""


@dataclass(frozen=True, eq=False)
class PictureGatherer:
    """Reads pictures of a gallery for a page.

    Attributes:
        gallery: The gallery.
        name_entry: Names the picture of an entry, by number.
        pixelate: Turn pictures into coarse mosaics.
    """

    gallery: Gallery
    name_entry: Callable[[int], str]
    pixelate: bool = False

    def show_answer(
        self,
        query: str,
        pixels: Pixels,
        answer: Answer,
        nearest: Sequence[Neighbour],
        *,
        top: int,
    ) -> SearchResult:
        """Gather what was found for a picture.

        Args:
            query: What the picture that was asked about is called.
            pixels: The picture.
            answer: The answer.
            nearest: Enrolled pictures that are most alike; those of candidates are shown.
            top: Candidates that are shown.
        """
        candidates = answer.candidates[:top]
        neighbours = defaultdict[str, list[Neighbour]](list)
        for one in nearest:
            neighbours[one.identity].append(one)
        shown = []
        for rank, candidate in enumerate(candidates, start=1):
            others = [n for n in neighbours[candidate.identity] if n.entry != candidate.entry]
            best = self._find(candidate.entry, candidate.entry_score)
            further = tuple(self._find(one.entry, one.score) for one in others[:MORE])
            decided = None if answer.verdict == "undecided" else candidate.p
            shown.append(
                FoundCandidate(rank, candidate.identity, candidate.score, decided, best, further)
            )
        return SearchResult(
            query=query,
            picture=self._read(pixels),
            verdict=answer.verdict,
            identity=answer.identity,
            explanation=answer.explanation,
            rate=answer.rate,
            accepted=None
            if answer.verdict == "undecided" or answer.score is None
            else sum(candidate.p <= answer.rate for candidate in candidates),
            candidates=tuple(shown),
        )

    def show_ranking(
        self, query: str, pixels: Pixels, nearest: Sequence[Neighbour], *, named: bool
    ) -> SearchResult:
        """Gather the pictures that are most alike, and whom they show where that is known."""
        shown = [
            FoundCandidate(
                rank,
                one.identity if named else None,
                one.score,
                None,
                self._find(one.entry, one.score),
            )
            for rank, one in enumerate(nearest, start=1)
        ]
        return SearchResult(query, self._read(pixels), "ranked", None, "", None, None, tuple(shown))

    def show_sentence(
        self, pixels: Pixels | None, answer: TextAnswer, *, named: bool
    ) -> SearchResult:
        """Gather what fits a sentence, alone or beside a picture.

        Args:
            pixels: The picture.
            answer: The answer.
            named: Whether the identities are those of people.
        """
        shown = [
            FoundCandidate(
                rank, one.identity if named else None, one.score, None,
                self._find(one.entry, one.text_score),
            )
            for rank, one in enumerate(answer.candidates, start=1)
        ]  # fmt: skip
        return SearchResult(
            answer.sentence,
            None if pixels is None else self._read(pixels),
            "ranked",
            None,
            answer.explanation,
            None,
            None,
            tuple(shown),
            sentence=True,
        )

    def _read(self, source: Pixels) -> Picture:
        return read_picture(source, longest=LONGEST, pixelate=self.pixelate)

    def _find(self, entry: int, score: float) -> FoundPicture:
        picture, name = self._read_entry(entry), self.name_entry(entry)
        [row] = self.gallery.entry_rows([entry])
        return FoundPicture(picture, name, score, tuple(list_facts(row)))

    def _read_entry(self, entry: int) -> Picture | None:
        stored = self.gallery.picture(entry)
        place = Path(stored.path or "")
        try:
            if stored.crop is None:
                return self._read(ImageSource(place, parse_box(stored.box)))
            pixels = decode_picture(stored.crop, place)
            return shrink_picture(pixels, longest=LONGEST, pixelate=self.pixelate)
        except UnreadableImage:
            return None


def list_facts(row: EntryRow) -> list[str]:
    """Say in a few words what is known of an entry: camera, time, domain, attributes."""
    facts = [f"camera {row.camera}"] if row.camera else []
    if row.time is not None:
        facts.append(f"{datetime.fromtimestamp(row.time, UTC):%Y-%m-%d %H:%M} UTC")
    return [*facts, *(f"{name}: {value}" for name, value in row.attributes.items())]
