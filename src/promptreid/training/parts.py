"""Let the parts a stage names learn, with train and eval modes to match."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from promptreid.models.reid import ReIDModel


def set_learning(model: ReIDModel, parts: Iterable[str]) -> list[tuple[str, nn.Parameter]]:
    """Let the named parts learn, freeze everything else, and set modes.

    The side-information table learns with the image tower, whose input it is part of. Modules that
    learn are in train mode (a ResNet's batch norm then uses and updates batch statistics, as
    published); all others are in eval mode.

    Args:
        model: Changed in place.
        parts: "prompt", "image", "head".

    Returns:
        Names and parameters that learn now.
    """
    wanted = list(parts)
    learning = model.learn([*wanted, "sie"] if "image" in wanted else wanted)
    set_modes(model, wanted)
    return list(learning.items())


def set_modes(model: ReIDModel, parts: Iterable[str]) -> None:
    """Put the learning parts in train mode and everything else in eval mode."""
    wanted = set(parts)
    model.eval()
    if "image" in wanted:
        model.backbone.image.train()
    if "head" in wanted and model.head is not None:
        model.head.train()
    if "prompt" in wanted and model.prompt is not None:
        model.prompt.train()
        model.backbone.text.eval()
