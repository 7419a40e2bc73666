"""The facts of a report written as one HTML file."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from promptreid.files import replacing
from promptreid.inference.text_controls.word_tables import word_verdict
from promptreid.pages.content import Content
from promptreid.pages.page_templates import open_templates
from promptreid.pages.report_page.album import Album
from promptreid.pages.report_page.colours import stylesheet
from promptreid.pages.report_page.run_facts import (
    data_rows,
    environment_rows,
    fact_rows,
    short_hash,
    split_words,
)
from promptreid.pages.report_page.score_cells import cell, unreliable_rates
from promptreid.pages.report_page.score_words import (
    applied,
    group_name,
    meaning,
    score_name,
    section_title,
    setting,
)
from promptreid.pages.report_page.sections import FIGURES, ShownFigure, shown_test
from promptreid.pages.report_page.summary import side, summarise
from promptreid.pages.report_page.svg import figure_svg
from promptreid.text import number_words as words
from promptreid.text.lists import listed
from promptreid.text.safe import encodable

_HERE = Path(__file__).parent


def write_page(content: Content, path: Path) -> int:
    """Write a report as one HTML file that needs nothing else, in one step.

    The same content gives the same bytes.

    Args:
        content: What it says.
        path: Where; a file that is there is replaced, its folder is made.

    Returns:
        Its size in bytes.

    Raises:
        ConfigError: Matplotlib or Jinja2 is missing.
    """
    page = encodable(render_page(content)).encode()
    with replacing(path) as temporary:
        temporary.write_bytes(page)
    return len(page)


def render_page(content: Content) -> str:
    """Return the page as text."""
    album = Album()
    script = (_HERE / "static" / "page.js").read_text(encoding="utf-8")
    curves = None
    if content.curves is not None:
        svg = figure_svg(content.curves, "curves")
        curves = ShownFigure("curves", FIGURES["curves"], svg, content.curves.alt)
    tests = [
        shown_test(test, f"test-{number}", album)
        for number, test in enumerate(content.tests, start=1)
    ]
    return (
        _environment()
        .get_template("page.html")
        .render(
            content=content,
            headlines=summarise(content),
            facts=fact_rows(content.runs),
            environment=environment_rows(content.runs),
            data=data_rows(content.runs),
            curves=curves,
            tests=tests,
            album=album,
            style=stylesheet((_HERE / "static" / "page.css").read_text(encoding="utf-8")),
            script=script,
            script_hash=_hash(script),
        )
    )


def _hash(script: str) -> str:
    """Name the one script that the page may run, whatever else might get into it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@cache
def _environment() -> Any:
    # Kept, since its templates are compiled when they are first asked for.
    environment = open_templates(_HERE / "templates")
    environment.filters |= {
        "number": words.number,
        "percent": words.percent,
        "rate": words.rate,
        "points": words.points,
        "count": words.count,
        "cosine": words.cosine,
        "listed": listed,
        "setting": setting,
        "score_name": score_name,
        "section_title": section_title,
        "short_hash": short_hash,
        "split_words": split_words,
        "group_name": group_name,
        "meaning": meaning,
        "cell": cell,
        "applied": applied,
        "unreliable_rates": unreliable_rates,
        "word_verdict": word_verdict,
        "side": side,
    }
    environment.globals |= {"plural": words.plural, "span": words.span}
    return environment
