"""Say where a model with camera or view embeddings meets cameras or views that did not train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from promptreid.data.manifest.manifest import Manifest
from promptreid.data.manifest.name_order import UNKNOWN, sort_names
from promptreid.data.side_information import camera_rows, view_rows
from promptreid.models.reid import ReIDModel
from promptreid.text.lists import shorten_list


def side_note(model: ReIDModel, manifest: Manifest, metadata: Mapping[str, Any]) -> str:
    """Say how many images are of cameras or views that the model has not learned.

    Args:
        model: Any model.
        manifest: The images, which may name cameras and views.
        metadata: Of the weights.

    Returns:
        Sentences; empty where the model knows all that are named, or reads none.
    """
    if model.sie is None:
        return ""
    notes = []
    if model.sie.cameras:
        notes.append(_note("camera", manifest.cameras, camera_rows(manifest, metadata)))
    if model.sie.views:
        attribute = metadata.get("recipe", {}).get("sie", {}).get("attribute")
        values = manifest.views if attribute is None else manifest.attributes.get(attribute, ())
        notes.append(_note(attribute or "view", values, view_rows(manifest, metadata)))
    return " ".join(filter(None, notes))


def _note(word: str, values: Sequence[str | None], rows: np.ndarray) -> str:
    names = [name for name, row in zip(values, rows, strict=False) if name and row == UNKNOWN]
    if not names:
        return ""
    return (
        f"The {word} of {len(names):,} of {len(rows):,} images did not train "
        f"({shorten_list(sort_names(names))}); the mean of all stands for it."
    )
