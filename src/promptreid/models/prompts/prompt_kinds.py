"""The kinds of prompts that a recipe can name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from promptreid.models.prompts.identity_prompt import IdentityPrompt
from promptreid.models.prompts.image_prompt import ImagePrompt
from promptreid.models.prompts.prompt import Prompt
from promptreid.models.towers.backbone import Backbone

PROMPTS: Mapping[str, type[Prompt]] = MappingProxyType(
    {"identity": IdentityPrompt, "image": ImagePrompt}
)
"""Classes of prompts by `prompt.kind` of a recipe."""


def restore_prompt(backbone: Backbone, description: dict[str, Any]) -> Prompt:
    """Build an empty prompt of what `Prompt.describe` gave, ready for its weights."""
    kind = PROMPTS[description["options"]["kind"]]
    return kind(backbone, *kind.read_description(description))
