"""The rows of `docs/results.md` that are of one recipe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results.md"


def results_of(name: str) -> list[str]:
    """Write the stored results of a recipe: its rows, and where they stand with their commands.

    Args:
        name: Of the recipe.
    """
    lines = []
    for heading, body in _sections():
        rows = list(_rows(body, name))
        trained = re.search(rf"promptreid train {re.escape(name)}(?![\w/-])", body)
        if rows or trained:
            link = f"[{heading}]({'../' * (1 + name.count('/'))}results.md#{_anchor(heading)})"
            lines += [f"{link}:", "", *rows, ""] if rows else [f"{link}.", ""]
    if lines:
        return lines
    return ["It has not been measured here: large recipes need weights and a graphics card that "
            "were not at hand. Scores of papers are on the page of the method where they are "
            "known."]  # fmt: skip


@cache
def _sections() -> tuple[tuple[str, str], ...]:
    parts = re.split(r"^##+ (.+)$", RESULTS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return tuple(zip(parts[1::2], parts[2::2], strict=True))


def _rows(body: str, name: str) -> Iterator[str]:
    """Give the rows of tables whose first cell names the recipe, each table with its head."""
    head: list[str] = []
    shown = False
    for line in body.splitlines():
        if not line.startswith("|"):
            head, shown = [], False
        elif len(head) < 2:
            head.append(line)
        elif re.match(rf"\| *`?{re.escape(name)}`?(?=[ ,|(])", line):
            yield from [] if shown else head
            shown = True
            yield line


def _anchor(heading: str) -> str:
    """Return the anchor that GitHub and the site both give to a heading."""
    words = re.sub(r"[^\w\s-]", "", heading.lower()).strip()
    return re.sub(r"\s", "-", words)
