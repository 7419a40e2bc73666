"""Short names that stay distinct: of runs by their paths, of settings by their keys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from promptreid.errors import ConfigError
from promptreid.files import full_path

_CACHED = re.compile(r"models--(?P<owner>.+)--(?P<name>.+)")
_SHORT_COMMIT = 7
# Last parts of a key that say little alone.
_GENERIC = ("name", "kind", "size", "width", "weight", "features")


def run_names(paths: Sequence[Path], chosen: Sequence[str] = ()) -> tuple[str, ...]:
    """Name runs by the least of their paths that tells them apart, or as the user does.

    Args:
        paths: Run folders or checkpoints.
        chosen: A name for each, or nothing.

    Raises:
        ConfigError: There are names, but not as many as runs, or two are the same.
    """
    if chosen:
        if len(chosen) != len(paths) or len(set(chosen)) != len(chosen):
            raise ConfigError(
                f"{len(chosen)} names are given for {len(paths)} runs; give each run a name of its "
                "own, or none at all."
            )
        return tuple(chosen)
    absolute = [_place(path) for path in paths]
    if len(set(absolute)) != len(absolute):
        raise ConfigError("The same run is named twice; a figure compares different runs.")
    longest = max(len(path.parts) for path in absolute)
    for length in range(1, longest + 1):
        names = tuple("/".join(path.parts[-length:]) for path in absolute)
        if len(set(names)) == len(names):
            return names
    return tuple(str(path) for path in absolute)


def short_keys(keys: Iterable[str]) -> dict[str, str]:
    """Give each dotted key its shortest end that no other key shares.

    `stages.image.optimizer.lr` becomes `lr`, or `image.optimizer.lr` beside the rate of another
    stage. A key that is the end of another stays whole; one part is not enough where it says
    little, as in `backbone.name`.
    """
    parts = {key: key.split(".") for key in keys}
    short = {}
    for key, words in parts.items():
        others = [other for name, other in parts.items() if name != key]
        fewest = 1 + (words[-1] in _GENERIC or words[-2:-1] == ["stages"])
        lengths = (
            length
            for length in range(fewest, len(words) + 1)
            if not any(other[-length:] == words[-length:] for other in others)
        )
        short[key] = ".".join(words[-next(lengths, len(words)) :])
    return short


def name_cached_model(path: Path) -> str | None:
    """Name the model whose file lies in the cache of the Hugging Face Hub: `OWNER/NAME@1a2b3c4`.

    Returns:
        None for any other path.
    """
    parts = path.parts
    for place, part in enumerate(parts[:-2]):
        match = _CACHED.fullmatch(part)
        if match is not None and parts[place + 1] == "snapshots":
            return f"{match['owner']}/{match['name']}@{parts[place + 2][:_SHORT_COMMIT]}"
    return None


def _place(path: Path) -> Path:
    """Return the path that a run is named after; of a model of the hub owner, name and commit."""
    name = name_cached_model(path)
    return _stem(full_path(path)) if name is None else Path(name)


def _stem(path: Path) -> Path:
    """Turn `run/checkpoints/best.safetensors` into `run/checkpoints/best`."""
    return path.with_suffix("") if path.suffix in (".safetensors", ".pth", ".pt", ".bin") else path
