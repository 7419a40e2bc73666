"""Answers of a search in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from promptreid.actions.searches.searched_place import SearchedPlace
from promptreid.gallery.searching.answer import Answer, Neighbour
from promptreid.gallery.texts.text_answer import TextAnswer
from promptreid.text.number_words import alike_digits
from promptreid.text.safe import visible
from promptreid.text.tables import plain_table
from promptreid.text.wrap import indented


def answer_text(
    name: str, path: Path | None, answer: Answer, opened: SearchedPlace, *, top: int
) -> str:
    """Write who a picture shows, what that rests on, and the candidates.

    Args:
        name: What the picture is called.
        path: Its file; None for one in memory.
        answer: The answer.
        opened: What was searched.
        top: Candidates that are named.
    """
    verdicts = {
        "identity": f"{answer.identity}: {name}",
        "nobody": f"NOBODY WHO IS {opened.where}: {name}",
        "undecided": f"CANNOT BE DECIDED: {name}",
    }
    lines = [visible(verdicts[answer.verdict]), indented(answer.explanation, "  ")]
    shown = answer.candidates[:top]
    digits = alike_digits(candidate.score for candidate in shown)
    rows = [("", "identity", "score", "p", "entry", "picture")]
    rows += [
        (
            str(rank),
            candidate.identity,
            f"{candidate.score:.{digits}f}",
            f"{candidate.p:.4f}",
            str(candidate.entry),
            opened.name_picture(candidate.entry),
        )
        for rank, candidate in enumerate(shown, start=1)
    ]
    if opened.root is not None:  # numbers of entries in the cache mean nothing to anybody
        rows = [(*row[:4], row[5]) for row in rows]
    if answer.candidates:
        right = [cell not in ("identity", "picture") for cell in rows[0]]
        lines += [f"  {line}".rstrip() for line in plain_table(rows, right=right)]
    best = answer.candidates[0].entry if answer.candidates else None
    itself = None if path is None else str(path.absolute())
    if best is not None and itself and opened.gallery.picture(best).path == itself:
        lines.append("  The picture itself is among them, so of course it is most alike.")
    if answer.gap is not None:
        lines.append(f"  {answer.gap:.{digits}f} before {visible(str(answer.runner_up))}")
    return "\n".join(lines)


def ranking_text(name: str, ranking: Sequence[Neighbour], opened: SearchedPlace) -> str:
    """Write which pictures are most alike, and whom they show where that is known."""
    digits = alike_digits(one.score for one in ranking)
    rows = [("", "identity", "score", "picture")]
    rows += [
        (str(rank), one.identity, f"{one.score:.{digits}f}", opened.name_picture(one.entry))
        for rank, one in enumerate(ranking, start=1)
    ]
    if not opened.named:
        rows = [(row[0], *row[2:]) for row in rows]
    right = [cell not in ("identity", "picture") for cell in rows[0]]
    lines = [visible(f"MOST ALIKE: {name}")]
    lines += [f"  {line}".rstrip() for line in plain_table(rows, right=right)]
    return "\n".join(lines)


def sentence_text(name: str, answer: TextAnswer, opened: SearchedPlace) -> str:
    """Write who fits a sentence best, and what that is worth."""
    rows = [("", "identity", "score", "text", "image", "picture")]
    rows += [
        (
            str(rank),
            one.identity,
            f"{one.score:.4f}",
            f"{one.text_score:.4f}",
            "" if one.image_score is None else f"{one.image_score:.4f}",
            opened.name_picture(one.entry),
        )
        for rank, one in enumerate(answer.candidates, start=1)
    ]
    if answer.candidates and answer.candidates[0].image_score is None:
        rows = [(*row[:3], row[5]) for row in rows]  # the score is that of the sentence
    if not opened.named:
        rows = [(row[0], *row[2:]) for row in rows]
    right = [cell not in ("identity", "picture") for cell in rows[0]]
    lines = [visible(f"FITS BEST: {name}")]
    lines += [f"  {line}".rstrip() for line in plain_table(rows, right=right)]
    return "\n".join([*lines, indented(answer.explanation, "  ")])
