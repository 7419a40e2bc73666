"""Search results written as one HTML file."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from promptreid.files import replacing
from promptreid.pages.page_templates import open_templates
from promptreid.pages.report_page.album import Album
from promptreid.pages.report_page.colours import stylesheet
from promptreid.pages.search_page.search_results import ResultsPage
from promptreid.text import number_words as words
from promptreid.text.safe import encodable

_HERE = Path(__file__).parent


def write_results(page: ResultsPage, path: Path) -> int:
    """Write a page in one step; the same content gives the same bytes.

    Args:
        page: What it says.
        path: Where; a file that is there is replaced, its folder is made.

    Returns:
        Its size in bytes.

    Raises:
        ConfigError: Jinja2 is missing.
    """
    content = encodable(render_results(page)).encode()
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return len(content)


def render_results(page: ResultsPage) -> str:
    """Return the page as text."""
    style = stylesheet((_HERE / "static" / "results.css").read_text(encoding="utf-8"))
    return _environment().get_template("results.html").render(page=page, album=Album(), style=style)


@cache
def _environment() -> Any:
    environment = open_templates(_HERE / "templates")
    environment.filters |= {"rate": words.rate, "score": _score}
    return environment


def _score(value: float, digits: int) -> str:
    """Write a cosine so that a column of them lines up."""
    return words.number(value, digits, scale=1)
