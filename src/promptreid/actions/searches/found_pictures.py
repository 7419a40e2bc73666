"""All that a search found: words, JSON, a figure for a notebook, and a page of HTML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, overload

from promptreid.actions.searches.search_found import Found
from promptreid.actions.searches.searched_place import SearchedPlace
from promptreid.figures.drawn import Drawn
from promptreid.figures.picture_rows import CaptionedPicture, PictureRow, picture_rows_figure
from promptreid.gallery.texts.text_answer import TextAnswer
from promptreid.pages.search_page.gather_results import PictureGatherer
from promptreid.pages.search_page.render_results import write_results
from promptreid.pages.search_page.search_results import (
    FoundCandidate,
    ResultsPage,
    SearchResult,
)
from promptreid.text.lists import counted
from promptreid.text.wrap import indented
from promptreid.version import __version__


@dataclass(frozen=True, eq=False, repr=False)
class FoundPictures(Sequence[Found]):
    """What was found for each picture that was asked about, in order.

    Printed, it is what `promptreid search` prints.

    Attributes:
        opened: What was searched.
        found: What was found for each picture or sentence.
        top: Candidates that are shown of each.
    """

    opened: SearchedPlace
    found: tuple[Found, ...]
    top: int

    def __len__(self) -> int:
        return len(self.found)

    @overload
    def __getitem__(self, index: int) -> Found: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Found]: ...

    def __getitem__(self, index: int | slice) -> Found | Sequence[Found]:
        return self.found[index]

    def __iter__(self) -> Iterator[Found]:
        return iter(self.found)

    def __str__(self) -> str:
        answers = [one.text(self.opened, top=self.top) for one in self.found]
        return "\n".join([*answers, *(indented(remark, "") for remark in self.opened.remarks)])

    __repr__ = __str__

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, JSON-ready, as `promptreid search --json` writes it."""
        records = [one.to_dict(self.opened) for one in self.found]
        remarks = self.opened.remarks
        return {"gallery": self.opened.place, "answers": records, "remarks": remarks}

    def show(self, *, pixelate: bool = False) -> Drawn:
        """Draw each picture with what was found for it, the best on the left.

        Candidates that are accepted, those whose p-value is at most the rate, have a thick frame.

        Args:
            pixelate: Show all pictures as coarse mosaics.

        Raises:
            ConfigError: Matplotlib is missing.
        """
        results = self._gather(pixelate=pixelate)
        remark = " ".join(self.opened.remarks[:1])
        return Drawn(
            picture_rows_figure([_lay_out(one) for one in results], note=remark), str(self)
        )

    def write_page(self, path: str | Path, *, pixelate: bool = False) -> Path:
        """Write it as one HTML page that needs nothing else.

        Args:
            path: The file; an earlier one is replaced.
            pixelate: Show all pictures as coarse mosaics.

        Raises:
            ConfigError: Jinja2 is missing.
        """
        opened, found = self.opened, self.found
        asked = counted(len(found), "picture")
        if len(found) == 1:
            asked = found[0].name if found[0].path is None else found[0].path.name
        facts = opened.gallery.info()
        people = counted(facts.identities, "identity", "identities")
        who = f" of {people}" if opened.named else ""
        source = facts.model.get("source") or "an unknown model"
        page = ResultsPage(
            title=f"{asked} searched for in {Path(opened.place).name or opened.place}",
            searched=f"Searched {counted(facts.entries, 'picture')}{who} in {opened.place}, by "
            f"{source}.",
            remarks=tuple(opened.remarks),
            results=self._gather(pixelate=pixelate),
            made=datetime.now(UTC).date().isoformat(),
            version=__version__,
            pixelated=pixelate,
        )
        write_results(page, Path(path))
        return Path(path)

    def _gather(self, *, pixelate: bool) -> tuple[SearchResult, ...]:
        """Read the pictures that are shown."""
        gatherer = PictureGatherer(self.opened.gallery, self.opened.name_picture, pixelate)
        return tuple(self._gather_one(gatherer, one) for one in self.found)

    def _gather_one(self, gatherer: PictureGatherer, found: Found) -> SearchResult:
        named, pixels = self.opened.named, None if found.query is None else found.query.pixels
        if isinstance(found.answer, TextAnswer):
            return gatherer.show_sentence(pixels, found.answer, named=named)
        assert pixels is not None
        name = found.label if found.path is None else found.path.name
        if found.answer is None:
            return gatherer.show_ranking(name, pixels, found.neighbours, named=named)
        return gatherer.show_answer(name, pixels, found.answer, found.neighbours, top=self.top)


def _lay_out(result: SearchResult) -> PictureRow:
    """Put a result into a row of a figure."""
    titles = {
        "identity": f"{result.query}: {result.identity}",
        "nobody": f"{result.query}: nobody who is there",
        "undecided": f"{result.query}: cannot be decided",
        "ranked": f"{result.query}: {'fits best' if result.sentence else 'most alike'}",
    }
    asked = None
    if result.picture is not None:
        asked = CaptionedPicture(result.picture, () if result.sentence else (result.query,))
    accepted = result.accepted or 0
    shown = [
        _caption(one, digits=result.digits, marked=one.rank <= accepted)
        for one in result.candidates
    ]
    return PictureRow(titles[result.verdict], tuple(shown), asked)


def _caption(candidate: FoundCandidate, *, digits: int, marked: bool) -> CaptionedPicture:
    name = candidate.best.name.rpartition("/")[2] if candidate.identity is None else None
    score = f"{candidate.score:.{digits}f}"
    if candidate.p is not None:
        score += f" · p {candidate.p:.3f}"
    return CaptionedPicture(
        candidate.best.picture, (candidate.identity or name or "", score), marked
    )
