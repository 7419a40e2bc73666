"""Cameras, views and attributes that a user names in Python, as rows of a model's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from promptreid.data.side_information import Side, named_rows
from promptreid.errors import DataError
from promptreid.inference.embedding_loop import SideRows
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel

Name = str | int | tuple[str, str] | None
Names = Sequence[Name] | Tensor


def find_named_sides(
    model: ReIDModel,
    info: CheckpointInfo,
    count: int,
    *,
    cameras: Names | None = None,
    views: Names | None = None,
    attributes: Mapping[str, Sequence[str]] | None = None,
) -> SideRows:
    """Resolve what goes into a model beside each of so many images, as `Embedder.embed` takes it.

    Raises:
        DataError: There are not as many names as images, a name is no name or stands for several
            rows, or the model has no sentence with these values.
    """
    return SideRows(
        None if model.sie is None else _table_rows(cameras, info.camera_values, "camera", count),
        None if model.sie is None else _table_rows(views, info.view_values, "view", count),
        _sentences(model, attributes, count),
    )


def _table_rows(names: Names | None, table: Sequence[Side], word: str, count: int) -> Tensor | None:
    """Translate cameras or views to rows of the trained table, -1 for unknown."""
    if names is None:
        return None
    values = names.tolist() if isinstance(names, Tensor | np.ndarray) else list(names)
    if len(values) != count:
        raise DataError(f"There are {count} images but {len(values)} {word}s; give one each.")
    return torch.from_numpy(named_rows(values, table, word))


def _sentences(
    model: ReIDModel, attributes: Mapping[str, Sequence[str]] | None, count: int
) -> Tensor | None:
    """Find the sentence of each image; None where there is one or they are not known."""
    prompt = model.image_prompt
    if attributes is None or prompt is None or len(prompt.variants) < 2:
        return None
    for name, values in attributes.items():
        if isinstance(values, str) or len(values) != count:
            raise DataError(
                f"There are {count} images, so the attribute {name!r} needs a list of as many "
                f"values, got {values!r}."
            )
    return prompt.find_variants(attributes, images=count)
