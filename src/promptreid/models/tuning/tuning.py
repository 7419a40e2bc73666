"""Small additions to an image tower that can learn while the tower itself is frozen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch

from promptreid.config.model import AdapterConfig, LoraConfig, VisualPromptConfig
from promptreid.errors import ModelError
from promptreid.models.towers.depth import depth_count, depth_of, depths
from promptreid.models.towers.image_tower import ImageTower
from promptreid.models.towers.resnet import ResNetTower
from promptreid.models.towers.vit import ViTTower
from promptreid.models.tuning.grouping_adapter import SemanticGroupingAdapter
from promptreid.models.tuning.lora import attach_lora, fold_lora, is_factor
from promptreid.models.tuning.visual_prompt import VisualPrompt

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
    adapter: AdapterConfig | None = None,
    generator: torch.Generator | None = None,
) -> None:
    """Add prompt tokens, low-rank updates and an adapter to a tower; note them in `tower.tuning`.

    The initial features are changed by prompt tokens and unchanged, to the bit, by LoRA and by the
    adapter (but for its class-token rule "pooled").

    Args:
        tower: Changed in place; it has no additions yet and its weights are in place.
        visual_prompt: Options of the tokens; None for none.
        lora: Options of the updates; None for none.
        adapter: Options of the adapter; None for none.
        generator: Source of the initial values, prompt first, adapter last; None for a generator
            with seed 0.

    Raises:
        ModelError: The tower is no vision transformer and is to have prompt tokens; it has no
            matrices that LoRA could update, or none of so high a rank; or it cannot have the
            adapter.
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
    if adapter is not None:
        _attach_adapter(tower, adapter, generator)
        noted["adapter"] = adapter.model_dump(mode="json")
    tower.tuning = noted


def restore_tuning(tower: ImageTower, description: Mapping[str, Any]) -> None:
    """Add what `tower.tuning` described to a fresh tower, ready for its weights."""
    names = ("visual_prompt", "lora", "adapter")
    prompt, lora, adapter = (description.get(name) for name in names)
    attach_tuning(
        tower,
        visual_prompt=None if prompt is None else VisualPromptConfig(**prompt),
        lora=None if lora is None else LoraConfig(**lora),
        adapter=None if adapter is None else AdapterConfig(**adapter),
    )


def merge_lora(tower: ImageTower) -> None:
    """Fold low-rank updates into their matrices: same outputs, no more cost, plain names."""
    fold_lora(tower)
    tower.tuning = {name: value for name, value in tower.tuning.items() if name != "lora"}


def part_of(name: str) -> Literal["visual_prompt", "lora", "adapter", "image"]:
    """Return the part that a parameter of an image tower belongs to.

    Args:
        name: Its name in the tower.

    Returns:
        "visual_prompt", "lora", "adapter" or "image".
    """
    if name.startswith("visual_prompt."):
        return "visual_prompt"
    if name.startswith("adapter."):
        return "adapter"
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


def _attach_adapter(tower: ImageTower, config: AdapterConfig, generator: torch.Generator) -> None:
    if not isinstance(tower, ViTTower | ResNetTower):
        raise ModelError(
            "The adapter changes the last tokens of CLIP's vision transformers and ResNets; "
            f"{type(tower).__name__} takes its encoder from timm. Leave tuning.adapter out, use "
            "tuning.lora, or take a backbone such as ViT-B-16."
        )
    if isinstance(tower, ResNetTower) and config.class_token != "mean":
        raise ModelError(
            f"tuning.adapter.class_token is {config.class_token}, but a ResNet has no class token: "
            "its pooling reads every cell that the adapter changes. Leave class_token out."
        )
    adapter = SemanticGroupingAdapter(tower.widths[1], **config.model_dump(), generator=generator)
    tower.adapter = adapter.to(tower.conv1.weight.device).train(tower.training)
