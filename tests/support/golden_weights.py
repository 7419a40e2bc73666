"""Weights and inputs of the golden numbers, made from the rules in tests/golden/README.md."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import open_clip
import torch
from open_clip.model import CLIP
from torch import Tensor

GOLDEN = Path(__file__).parents[1] / "golden" / "clip_reid.npz"
IDENTITIES, CAMERAS = 5, 3
LABELS = torch.tensor([0, 0, 1, 1, 3, 3, 4, 4])
CAMERA_ROWS = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
TEMPLATE = "A photo of a {context} person."


def draw(tag: str, shape: tuple[int, ...]) -> Tensor:
    """Return standard normal numbers that belong to a tag."""
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(tag.encode())))
    return torch.from_numpy(generator.standard_normal(shape, dtype=np.float32))


def trained(tag: str, shape: tuple[int, ...]) -> Tensor:
    """Return the normal numbers behind an input or a trained parameter."""
    return draw("input." + tag, shape)


def weight(name: str, shape: tuple[int, ...]) -> Tensor:
    """Return the golden weight of an OpenAI name."""
    parts = name.split(".")
    leaf, parent = parts[-1], parts[-2] if len(parts) > 1 else ""
    if name == "logit_scale":
        return torch.tensor(np.log(1 / 0.07), dtype=torch.float32)
    if leaf == "num_batches_tracked":
        return torch.tensor(0)
    a = draw(name, shape)
    norm = parent.startswith(("ln_", "bn")) or (parent == "1" and parts[-3] == "downsample")
    if leaf == "running_var":
        return 1 + 0.1 * a.abs()
    if leaf == "running_mean":
        return 0.02 * a
    if norm and leaf == "weight":
        return 1 + 0.02 * a
    if norm or leaf in ("bias", "in_proj_bias") or "embedding" in name:
        return 0.02 * a
    rows = shape[0] if leaf in ("proj", "text_projection") else int(np.prod(shape[1:]))
    return a / float(np.sqrt(rows))


def openai_weights(architecture: str) -> dict[str, Tensor]:
    """Return the golden state dict of an OpenCLIP architecture, by OpenAI's names."""
    config = open_clip.get_model_config(architecture)
    with torch.device("meta"):
        shapes = {name: tuple(t.shape) for name, t in CLIP(**config).state_dict().items()}
    return {name: weight(name, shape) for name, shape in shapes.items()}
