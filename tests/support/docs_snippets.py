"""What README and the pages of `docs/` tell a reader to type, page by page."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHOWN = {"text", "yaml", "json", "nginx"}
"""Languages of blocks that show something and are not typed."""


@dataclass(frozen=True)
class Snippet:
    """A piece of a page that a reader types, or that shows what comes out.

    Attributes:
        page: Path of the page from the root of the repository.
        line: Where its block begins.
        kind: "shell" for one command, "python" for a block of code, "output" for a block of text
            that follows commands and shows what they print.
        text: The command on one line, the code, or what is shown.
    """

    page: str
    line: int
    kind: str
    text: str

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.page}:{self.line}"


def page_name(page: Path) -> str:
    """Name a page by its path from the root of the repository."""
    return page.relative_to(ROOT).as_posix()


def snippets(page: Path) -> list[Snippet]:
    """List what a page tells a reader to type, from top to bottom, and what it shows of it."""
    return list(_snippets(page_name(page), page.read_text(encoding="utf-8")))


def _snippets(name: str, text: str) -> Iterator[Snippet]:
    end, typed = 0, False
    for block in _BLOCK.finditer(text):
        language, body = block[1], block[2]
        line = text.count("\n", 0, block.start()) + 1
        between = text[end : block.start()].strip()
        if language == "python":
            yield Snippet(name, line, "python", body)
        elif language in SHOWN:
            if typed and not between and language == "text":
                yield Snippet(name, line, "output", body)
        else:
            assert language in ("", "sh"), f"{name}:{line}: a block of {language}"
            for command in body.replace("\\\n", " ").splitlines():
                if command.strip() and not command.startswith("#"):
                    yield Snippet(name, line, "shell", command.strip())
        end, typed = block.end(), language in ("", "sh")


def shell_words(command: str) -> list[str]:
    """Split a command as a shell does, its remark left out."""
    return shlex.split(command, comments=True)
