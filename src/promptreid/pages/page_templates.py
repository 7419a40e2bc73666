"""The templates of a page, in which nothing that comes from outside is taken for markup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from promptreid.figures.extra import need
from promptreid.text.safe import visible_lines

_SHARED = Path(__file__).parent / "templates"


def open_templates(folder: Path) -> Any:
    """Return a Jinja environment for the templates of a folder, and those that all pages share.

    Raises:
        ConfigError: Jinja2 is missing.
    """
    jinja = need("jinja2")
    return jinja.Environment(
        loader=jinja.FileSystemLoader([folder, _SHARED]),
        autoescape=True,
        finalize=_shown,
        undefined=jinja.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _shown(value: Any) -> Any:
    """Write out what cannot be seen in a name; our own markup has none."""
    return visible_lines(value) if type(value) is str else value
