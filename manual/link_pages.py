"""Links that hold in the repository, turned into links that hold on the site."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

ON_SITE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}
"""Pages of the site that lie outside of `docs/` in the repository."""

_FENCED = re.compile(r"(^```.*?^```\n?)", re.MULTILINE | re.DOTALL)
_MARKDOWN = re.compile(r"(!?\[(?P<words>[^\]]*)\]\()(?P<path>(?!https?:|mailto:)[^)#\s]+)")
_HTML = re.compile(r'((?:src|href)=")(?P<path>(?!https?:)[^"#]+)')
_PICTURE = re.compile(
    r"""(?P<before>!\[[^\]]*\]\(|<img(?:\s[^>]*)?\ssrc=")(?P<path>[^)#\s"]+)(?P<after>\)|"[^>]*>)"""
)
_CHOICE = re.compile(r"</?picture>|<source\s[^>]*>")
_WHOLE = re.compile(r"\[([^\]]*)\]\(((?!https?:|mailto:)[^)#\s]+)(?:#[^)]*)?\)")


def link_from(source: str, text: str) -> str:
    """Rewrite the links of a page of the repository for its place on the site.

    A link to a file that is no page of the site, such as a source file, becomes its words as code.

    Args:
        source: Path of the page in the repository, such as `docs/data.md`.
        text: The page; what is fenced in it stays.
    """
    here = posixpath.dirname(_place(source) or "") or "."

    def on_site(path: str) -> str | None:
        return _place(posixpath.normpath(posixpath.join(posixpath.dirname(source), path)))

    def moved(link: re.Match[str]) -> str:
        place = on_site(link["path"])
        return link[0] if place is None else link[1] + posixpath.relpath(place, here)

    def kept(link: re.Match[str]) -> str:
        return link[0] if on_site(link[2]) else f"`{link[1].strip('`')}`"

    parts = _FENCED.split(text)
    for place, part in enumerate(parts):
        if not part.startswith("```"):
            parts[place] = _HTML.sub(moved, _MARKDOWN.sub(moved, _WHOLE.sub(kept, part)))
    return "".join(parts)


def with_dark_twins(text: str, folder: Path) -> str:
    """Let the site show `NAME-dark.png` in place of `NAME.png` on dark pages, where there is one.

    What lets GitHub do so, `<picture>`, is taken out: it asks the browser for colours, while the
    site has a switch of its own.

    Args:
        text: The page, with links as they are on the site.
        folder: Where the page is.
    """

    def both(picture: re.Match[str]) -> str:
        name, ending = posixpath.splitext(picture["path"])
        dark = f"{name}-dark{ending}"
        if not (folder / dark).is_file():
            return picture[0]
        light, before, after = picture["path"], picture["before"], picture["after"]
        return f"{before}{light}#only-light{after}{before}{dark}#only-dark{after}"

    parts = _FENCED.split(text)
    for place, part in enumerate(parts):
        if not part.startswith("```"):
            parts[place] = _PICTURE.sub(both, _CHOICE.sub("", part))
    return "".join(parts)


def _place(path: str) -> str | None:
    """Return where a file of the repository is on the site; None for one that is not there."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return ON_SITE.get(path)
