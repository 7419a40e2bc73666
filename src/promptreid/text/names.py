"""Short names of runs for titles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from promptreid.errors import ConfigError
from promptreid.files import full_path

_SEAMS = " /_-,;:"


def run_names(paths: Sequence[Path], given: Sequence[str] = ()) -> tuple[str, ...]:
    """Name runs by the least of their paths that tells them apart, or as the user does.

    Args:
        paths: Run folders or checkpoints.
        given: A name for each, or nothing.

    Raises:
        ConfigError: There are names, but not as many as runs, or two are the same.
    """
    if given:
        if len(given) != len(paths) or len(set(given)) != len(given):
            raise ConfigError(
                f"{len(given)} names are given for {len(paths)} runs; give each run a name of its "
                "own, or none at all."
            )
        return tuple(given)
    absolute = [_stem(full_path(path)) for path in paths]
    if len(set(absolute)) != len(absolute):
        raise ConfigError("The same run is named twice; a figure compares different runs.")
    longest = max(len(path.parts) for path in absolute)
    for length in range(1, longest + 1):
        names = tuple("/".join(path.parts[-length:]) for path in absolute)
        if len(set(names)) == len(names):
            return names
    return tuple(str(path) for path in absolute)


def folded(name: str, width: int) -> str:
    """Break a name into two lines at most, shortened as by `shortened`.

    Args:
        name: What to write.
        width: Letters a line has room for.
    """
    if len(name) <= width:
        return name
    name = shortened(name, 2 * width)
    # At a seam where there is one that leaves room for the rest.
    seams = [place for place in range(len(name) - width, width + 1) if name[place - 1] in _SEAMS]
    cut = seams[-1] if seams else width
    return f"{name[:cut].rstrip()}\n{name[cut:].lstrip()}"


def shortened(name: str, width: int) -> str:
    """Take the middle out of a long name, since runs differ at the beginning or at the end.

    Args:
        name: What to write.
        width: Letters there is room for.
    """
    if len(name) <= width:
        return name
    kept = max(width - 1, 2)
    return f"{name[: kept // 2]}…{name[-(kept - kept // 2) :]}"


def ending(name: str, width: int) -> str:
    """Take the beginning out of a long name, since identities differ at the end.

    Args:
        name: What to write.
        width: Letters there is room for.
    """
    return name if len(name) <= width else f"…{name[1 - width :]}"


def _stem(path: Path) -> Path:
    """Turn `run/checkpoints/best.safetensors` into `run/checkpoints/best`."""
    return path.with_suffix("") if path.suffix in (".safetensors", ".pth", ".pt", ".bin") else path
