"""Rendered data sets, as the command `data synth` and Python make them."""

from __future__ import annotations

import os
from pathlib import Path

from promptreid.actions.datasets.loaded_data import LoadedData, load_data
from promptreid.errors import ConfigError, unknown_name
from promptreid.processor import count_cores
from promptreid.progress import Lines, Progress
from promptreid.progress.counted_task import RenderedCount

KINDS = ("hands", "people")
"""What can be rendered."""

_SIZES = {"hands": 224, "people": 128}
_COUNTED = {"hands": "identities", "people": "identities and strangers"}


def synth_data(
    kind: str,
    out: str | os.PathLike[str],
    *,
    identities: int = 64,
    seed: int = 0,
    size: int | None = None,
    cameras: int = 6,
    domain: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> LoadedData:
    """Render a synthetic data set into a folder; the same seed gives the same bytes.

    The arguments are the options of `promptreid data synth`. Hands come in the layout of 11k Hands
    with HandInfo.csv, people in the layout of Market-1501.

    Args:
        kind: "hands" or "people".
        out: Folder to make.
        identities: Individuals to render.
        seed: Of every random choice.
        size: Height of the pictures in pixels; None for 224 of hands and 128 of people.
        cameras: Number of cameras, of people.
        domain: Which visually distinct place, of people.
        workers: Processes that render; None for one for each core.
        progress: Where to report; None for lines on standard error.

    Returns:
        The data set; its `spec` names it everywhere.

    Raises:
        ConfigError: There is no such kind.
        RunError: The folder holds something, or a number is out of range.

    Example:
        >>> made = promptreid.synth_data("people", "rendered", identities=2, cameras=2, workers=1)
        >>> made.spec
        'market1501:rendered'
    """
    if kind not in KINDS:
        raise ConfigError(unknown_name("kind of rendered data", kind, KINDS))
    folder, progress = Path(out), progress or Lines()
    processes, height = workers or count_cores(), size or _SIZES[kind]
    with RenderedCount(progress, f"rendering {kind}", _COUNTED[kind]) as count:
        if kind == "hands":
            from promptreid.synth.hands.hands import write_hands

            write_hands(
                folder, identities=identities, seed=seed, size=height, workers=processes,
                progress=count,
            )  # fmt: skip
            spec = f"hands11k:{folder}?aspect=dorsal_right"
        else:
            from promptreid.synth.people.people import write_people

            write_people(
                folder, identities=identities, seed=seed, cameras=cameras, domain_index=domain,
                size=(height, height // 2), workers=processes, progress=count,
            )  # fmt: skip
            spec = f"market1501:{folder}"
    return load_data(spec)
