"""Colours of the page: those of the figures, and a few quiet ones between paper and ink."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from promptreid.figures.style import DARK, LIGHT, Theme

# `soft` lies behind code and heads of tables, `line` is for rules, `link` for what can be pressed.
# Text in ink, faint or link has 4.5 : 1 at least against paper and against soft.
_QUIET: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "light": {"soft": "#f4f5f6", "line": "#d9dcdf", "link": "#005f96"},
        "dark": {"soft": "#1e2227", "line": "#363c43", "link": "#6cc0ee"},
    }
)


def variables(theme: Theme) -> dict[str, str]:
    """Return the CSS variables of a theme, by name without the dashes."""
    hues = {f"hue-{number}": hue for number, hue in enumerate(theme.hues)}
    inks = {"paper": theme.paper, "ink": theme.ink, "faint": theme.faint}
    return {**inks, **_QUIET[theme.name], **hues}


def declarations(theme: Theme) -> str:
    """Return the CSS that sets the variables of a theme."""
    colours = "".join(f"--{name}:{value};" for name, value in variables(theme).items())
    return f"color-scheme:{theme.name};{colours}"


def stylesheet(rules: str) -> str:
    """Put the colours of both themes, and what all pages share, before the rules of a page.

    The reader's system decides, unless the page was told otherwise; paper is always light.
    """
    light, dark = declarations(LIGHT), declarations(DARK)
    base = (Path(__file__).parent / "static" / "base.css").read_text(encoding="utf-8")
    return (
        f":root{{{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{"
        f":root:not([data-theme=light]){{{dark}}}}}\n"
        f"@media screen{{:root[data-theme=dark]{{{dark}}}}}\n"
        f"{base}\n{rules}"
    )


def replaced_colours() -> dict[str, str]:
    """Return what stands in a page for each colour of a figure drawn in the light theme."""
    names = variables(LIGHT)
    drawn = [name for name in names if name not in _QUIET["light"]]
    # What matplotlib leaves black has no colour of its own, and would vanish on dark paper.
    return {"#000000": "var(--ink)"} | {names[name]: f"var(--{name})" for name in drawn}
