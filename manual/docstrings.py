"""Docstrings in Google's style, as markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

_SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises|Example|Examples):$")
_ENTRY = re.compile(r"^(\*{0,2}[\w., ]+?)(?: \([^)]*\))?: (.*)$")


def markdown(docstring: str) -> str:
    """Turn a docstring into markdown: its sections become lists, its example a block of code.

    Args:
        docstring: As it stands in the source; the indentation is taken out.
    """
    lines = inspect.cleandoc(docstring).splitlines()
    title, body = "", []
    parts: list[str] = []
    for line in [*lines, "End:"]:
        match = _SECTION.match(line)
        if match or line == "End:":
            parts += _part(title, body)
            title, body = (match[1] if match else ""), []
        else:
            body.append(line)
    return "\n\n".join(part for part in parts if part).strip()


def _part(title: str, body: list[str]) -> Iterator[str]:
    text = inspect.cleandoc("\n".join(["", *body]))
    if not title:
        yield text
    elif title.startswith("Example"):
        yield f"**{title}**\n\n```python\n{text}\n```"
    elif title in ("Returns", "Yields"):
        yield f"**{title}** {' '.join(text.split())}"
    else:
        entries = "\n".join(f"- `{name}`: {what}" for name, what in _entries(text))
        yield f"**{title}**\n\n{entries}"


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """Give the names of a section, each with all that is said of it."""
    name, said = "", []
    for line in text.splitlines():
        match = None if line.startswith(" ") else _ENTRY.match(line)
        if match:
            if name:
                yield name, " ".join(said)
            name, said = match[1], [match[2]]
        else:
            said.append(line.strip())
    if name:
        yield name, " ".join(said)
