"""Long names in little room."""

from __future__ import annotations

_SEAMS = " /_-,;:"


def folded(name: str, width: int) -> str:
    """Break a name into two lines of so many letters at most, shortened as by `shortened`."""
    if len(name) <= width:
        return name
    name = shortened(name, 2 * width)
    # At a seam where there is one that leaves room for the rest.
    seams = [place for place in range(len(name) - width, width + 1) if name[place - 1] in _SEAMS]
    cut = seams[-1] if seams else width
    return f"{name[:cut].rstrip()}\n{name[cut:].lstrip()}"


def shortened(name: str, width: int) -> str:
    """Take the middle out of a long name, since runs differ at the beginning or at the end."""
    if len(name) <= width:
        return name
    letters = max(width - 1, 2)
    return f"{name[: letters // 2]}…{name[-(letters - letters // 2) :]}"


def ending(name: str, width: int) -> str:
    """Take the beginning out of a long name, since identities differ at the end."""
    return name if len(name) <= width else f"…{name[1 - width :]}"
