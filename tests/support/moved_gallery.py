"""Work that concerns a gallery as a whole: another model for it, or another place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from gallery_model import PixelModel, open_gallery

from promptreid.gallery.upkeep import reembedding

MOVES = ("reembed", "copy")
NEW_SEED = 7
"""Seed of the new model."""


def move(folder: Path, log: Path, kind: str, get_ready: Callable[[], None]) -> None:
    """Change the model of a gallery, or copy the one beside a folder to it; the log is then there.

    Args:
        folder: What is written to: the gallery, or an empty folder beside it (`../people`).
        log: Says that it was acknowledged.
        kind: One of `MOVES`.
        get_ready: Called before the work.
    """
    torch.set_num_threads(1)
    reembedding._AT_A_TIME, reembedding._LEFT_TO_THE_SWITCH = 8, 0
    gallery = open_gallery(folder.parent / "people")
    get_ready()
    if kind == "reembed":
        gallery.reembed(PixelModel(NEW_SEED))
    else:
        gallery.copy(folder)
    log.write_text("done")
