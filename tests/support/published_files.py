"""Files as published CLIP-ReID saves them, from a model of ours."""

from __future__ import annotations

from pathlib import Path

import torch
from published import published_name

from promptreid.models.reid import ReIDModel


def save_published(
    path: Path, model: ReIDModel, *, text: bool = True, module: bool = False
) -> Path:
    """Write a `.pth`; without `text` as the baseline does, with `module` as DataParallel does."""
    state = {}
    for name, tensor in model.state_dict().items():
        published = published_name(name)
        if published is None or (not text and published.startswith(("text_", "prompt_"))):
            continue
        if name in ("prompt.prefix", "prompt.suffix"):
            tensor = tensor[None]
        state["module." * module + published] = tensor
    torch.save(state, path)
    return path
