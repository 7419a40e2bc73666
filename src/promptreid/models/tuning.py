"""Small additions to an image tower that can learn while the tower itself is frozen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch

from promptreid.config.model import LoraConfig, VisualPromptConfig
from promptreid.errors import ModelError
from promptreid.models.depth import depth_count, depth_of, depths
from promptreid.models.lora import attach_lora, fold_lora, is_factor
from promptreid.models.tower import ImageTower
from promptreid.models.vision import ViTTower
from promptreid.models.visual_prompt import VisualPrompt

__all__ = [
    "attach_tuning",
    "depth_count",
    "depth_of",
    "depths",
    "merge_lora",
    "part_of",
    "restore_tuning",
]


def attach_tuning(
    tower: ImageTower,
    *,
    visual_prompt: VisualPromptConfig | None = None,
    lora: LoraConfig | None = None,
    generator: torch.Generator | None = None,
) -> None:
    """Add visual prompt tokens and low-rank updates to a tower, and note them in `tower.tuning`.

    The initial features are changed by prompt tokens and unchanged, to the bit, by LoRA.

    Args:
        tower: Changed in place; it has no additions yet and its weights are in place.
        visual_prompt: Options of the tokens; None for none.
        lora: Options of the updates; None for none.
        generator: Source of the initial values, prompt first; None for a generator with seed 0.

    Raises:
        ModelError: The tower is no vision transformer and is to have prompt tokens, or it has no
            matrices that LoRA could update, or none of so high a rank.
    """
    if tower.tuning:
        raise ValueError("this tower has additions already; merge or rebuild it first")
    generator = generator or torch.Generator().manual_seed(0)
    noted: dict[str, Any] = {}
    if visual_prompt is not None:
        _attach_visual_prompt(tower, visual_prompt, generator)
        noted["visual_prompt"] = visual_prompt.model_dump(mode="json")
    if lora is not None:
        attach_lora(
            tower, rank=lora.rank, alpha=lora.alpha, targets=lora.targets, generator=generator
        )
        noted["lora"] = lora.model_dump(mode="json")
    tower.tuning = noted


def restore_tuning(tower: ImageTower, description: Mapping[str, Any]) -> None:
    """Add what `tower.tuning` described to a fresh tower, ready for its weights."""
    prompt, lora = (description.get(name) for name in ("visual_prompt", "lora"))
    attach_tuning(
        tower,
        visual_prompt=None if prompt is None else VisualPromptConfig(**prompt),
        lora=None if lora is None else LoraConfig(**lora),
    )


def merge_lora(tower: ImageTower) -> None:
    """Fold low-rank updates into their matrices: same outputs, no more cost, plain names."""
    fold_lora(tower)
    tower.tuning = {name: value for name, value in tower.tuning.items() if name != "lora"}


def part_of(name: str) -> Literal["visual_prompt", "lora", "image"]:
    """Return the part that a parameter of an image tower belongs to.

    Args:
        name: Its name in the tower.

    Returns:
        "visual_prompt", "lora" or "image".
    """
    if name.startswith("visual_prompt."):
        return "visual_prompt"
    return "lora" if is_factor(name) else "image"


def _attach_visual_prompt(
    tower: ImageTower, config: VisualPromptConfig, generator: torch.Generator
) -> None:
    if not isinstance(tower, ViTTower):
        raise ModelError(
            "Visual prompt tokens stand beside the class token of CLIP's vision transformers; "
            f"a {type(tower).__name__} has no place for them. Leave tuning.visual_prompt out, use "
            "tuning.lora, or take a backbone such as ViT-B-16."
        )
    prompt = VisualPrompt(
        tower.conv1.out_channels,
        patch=tower.patch,
        blocks=len(tower.transformer.resblocks),
        tokens=config.tokens,
        deep=config.deep,
        dropout=config.dropout,
        generator=generator,
    )
    tower.visual_prompt = prompt.to(tower.conv1.weight.device).train(tower.training)
