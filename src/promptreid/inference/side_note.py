"""Say where a model with camera or view embeddings meets cameras or views that did not train."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from promptreid.data.manifest.manifest import Manifest
from promptreid.data.manifest.name_order import UNKNOWN, sort_names
from promptreid.inference.embedder import Embedder
from promptreid.text.lists import shorten_list


def note_unknown_sides(embedder: Embedder, manifest: Manifest) -> str:
    """Say how many images are of cameras or views that the model has not learned.

    There is nothing to say where the model knows all that are named, or reads none.
    """
    table, sides = embedder.model.sie, embedder.info.sides
    if table is None:
        return ""
    notes = []
    if table.cameras:
        notes.append(_note("camera", manifest.cameras, sides.camera_rows(manifest)))
    if table.views:
        name = sides.attribute
        values = manifest.views if name is None else manifest.attributes.get(name, ())
        notes.append(_note(name or "view", values, sides.view_rows(manifest)))
    return " ".join(filter(None, notes))


def _note(word: str, values: Sequence[str | None], rows: np.ndarray) -> str:
    names = [name for name, row in zip(values, rows, strict=False) if name and row == UNKNOWN]
    if not names:
        return ""
    return (
        f"The {word} of {len(names):,} of {len(rows):,} images did not train "
        f"({shorten_list(sort_names(names))}); the mean of all stands for it."
    )
