"""What a search found: as words, as JSON, and on a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from promptreid import __version__
from promptreid.cli.searched_place import SearchedPlace
from promptreid.gallery.searching.answer import Answer, Neighbour
from promptreid.gallery.searching.filters import Filters
from promptreid.gallery.vector_model import GalleryImage
from promptreid.text.lists import counted
from promptreid.text.safe import visible
from promptreid.text.tables import plain_table
from promptreid.text.wrap import indented

_NEIGHBOURS = 64
"""Pictures that are looked at for further ones of the candidates of a page."""


@dataclass(frozen=True)
class Found:
    """What was found for one picture.

    Attributes:
        image: The picture.
        answer: Who it shows; None where nobody knows whom the pictures of a folder show.
        neighbours: Pictures that are most alike, best first.
    """

    image: Path
    answer: Answer | None
    neighbours: Sequence[Neighbour]

    def text(self, opened: SearchedPlace, *, top: int) -> str:
        """Say it in words."""
        if self.answer is None:
            return _ranking_text(self.image, self.neighbours, opened)
        return _answer_text(self.image, self.answer, opened, top=top)

    def to_dict(self, opened: SearchedPlace) -> dict[str, Any]:
        """Return it as JSON has it."""
        if self.answer is None:
            pictures = [
                {"picture": opened.name_picture(one.entry), "score": one.score}
                for one in self.neighbours
            ]
            return {"image": str(self.image), "verdict": "undecided", "pictures": pictures}
        candidates = [
            {**one.to_dict(), "picture": opened.name_picture(one.entry)}
            for one in self.answer.candidates
        ]
        answer = {**self.answer.to_dict(), "candidates": candidates}
        return {"image": str(self.image), **answer, "explanation": self.answer.explanation}


def find_pictures(
    opened: SearchedPlace,
    queries: Sequence[GalleryImage],
    *,
    top: int,
    rate: float | None,
    filters: Filters,
    neighbours: bool,
) -> list[Found]:
    """Search for pictures.

    Args:
        opened: What is searched.
        queries: Image files.
        top: Candidates, or pictures where nobody knows whom they show.
        rate: The part of strangers that may be accepted.
        filters: Which pictures may answer.
        neighbours: Whether the pictures that are most alike are wanted beside an answer.
    """
    images = [Path(str(query.pixels)) for query in queries]
    alike: list[list[Neighbour]] = [[] for _ in queries]
    if neighbours or not opened.named:
        several = max(top, _NEIGHBOURS) if opened.named else top
        alike = opened.gallery.nearest(queries, top=several, filters=filters)
    if not opened.named:
        return [Found(image, None, near) for image, near in zip(images, alike, strict=True)]
    answers = opened.gallery.search(queries, top=top, filters=filters, rate=rate)
    return [Found(*one) for one in zip(images, answers, alike, strict=True)]


def write_search_page(
    page: Path, opened: SearchedPlace, found: Sequence[Found], *, top: int, pixelate: bool
) -> None:
    """Write what was found as one HTML page."""
    from promptreid.report.search_page.gather_results import PictureGatherer
    from promptreid.report.search_page.render_results import write_results
    from promptreid.report.search_page.search_results import ResultsPage

    gatherer = PictureGatherer(opened.gallery, opened.name_picture, pixelate)
    results = tuple(
        gatherer.show_ranking(one.image, one.neighbours)
        if one.answer is None
        else gatherer.show_answer(one.image, one.answer, one.neighbours, top=top)
        for one in found
    )
    asked = found[0].image.name if len(found) == 1 else counted(len(found), "picture")
    facts = opened.gallery.info()
    people = counted(facts.identities, "identity", "identities")
    who = f" of {people}" if opened.named else ""
    source = facts.model.get("source") or "an unknown model"
    title = f"{asked} in {Path(opened.place).name or opened.place}"
    searched = f"Searched {counted(facts.entries, 'picture')}{who} in {opened.place}, by {source}."
    made = datetime.now(UTC).date().isoformat()
    remarks = tuple(opened.remarks)
    write_results(ResultsPage(title, searched, remarks, results, made, __version__, pixelate), page)


def _answer_text(image: Path, answer: Answer, opened: SearchedPlace, *, top: int) -> str:
    """Write who a picture shows, what that rests on, and the candidates."""
    verdicts = {
        "identity": f"{answer.identity}: {image}",
        "nobody": f"NOBODY WHO IS {opened.where}: {image}",
        "undecided": f"CANNOT BE DECIDED: {image}",
    }
    lines = [visible(verdicts[answer.verdict]), indented(answer.explanation, "  ")]
    rows = [("", "identity", "score", "p", "entry", "picture")]
    rows += [
        (
            str(rank),
            candidate.identity,
            f"{candidate.score:.4f}",
            f"{candidate.p:.4f}",
            str(candidate.entry),
            opened.name_picture(candidate.entry),
        )
        for rank, candidate in enumerate(answer.candidates[:top], start=1)
    ]
    if opened.root is not None:  # numbers of entries in the cache mean nothing to anybody
        rows = [(*row[:4], row[5]) for row in rows]
    if answer.candidates:
        right = [cell not in ("identity", "picture") for cell in rows[0]]
        lines += [f"  {line}".rstrip() for line in plain_table(rows, right=right)]
    best = answer.candidates[0].entry if answer.candidates else None
    if best is not None and opened.gallery.picture(best).path == str(image.absolute()):
        lines.append("  The picture itself is among them, so of course it is most alike.")
    if answer.gap is not None:
        lines.append(f"  {answer.gap:.4f} before {visible(str(answer.runner_up))}")
    return "\n".join(lines)


def _ranking_text(image: Path, ranking: Sequence[Neighbour], opened: SearchedPlace) -> str:
    """Write which pictures are most alike, where nobody knows whom they show."""
    rows = [("", "score", "picture")]
    rows += [
        (str(rank), f"{one.score:.4f}", opened.name_picture(one.entry))
        for rank, one in enumerate(ranking, start=1)
    ]
    lines = [visible(f"MOST ALIKE: {image}")]
    lines += [f"  {line}" for line in plain_table(rows, right=(True, True, False))]
    return "\n".join(lines)
