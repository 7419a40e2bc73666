"""The rendered hands of `promptreid demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from promptreid.progress import Lines

IMAGE_SIZE = 128


def render_hands(folder: Path, identities: int, seed: int, *, nuisance: float, lines: Lines) -> str:
    """Render right hands from above, unless an earlier demo did.

    Args:
        folder: Where they go.
        identities: Number of people.
        seed: Who these are.
        nuisance: Part of the usual variation of pose, framing, light and camera.
        lines: Told of people.

    Returns:
        The data SPEC that reads them.
    """
    from promptreid.processor import count_cores
    from promptreid.progress.counted_task import RenderedCount
    from promptreid.synth.hands.hands import write_hands

    if not (folder / "HandInfo.csv").is_file():  # which is written last
        with RenderedCount(lines, "rendering", "people") as count:
            write_hands(
                folder,
                identities=identities,
                seed=seed,
                size=IMAGE_SIZE,
                aspects=("dorsal right",),
                nuisance=nuisance,
                workers=count_cores(),
                progress=count,
            )
    return f"hands11k:{folder}?aspect=dorsal_right"
