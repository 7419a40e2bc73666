"""Fresh prompts in a line: options of a recipe and values of the data side by side."""

from __future__ import annotations

from typing import Any

from promptreid.config.model import PromptConfig
from promptreid.models.prompts.identity_prompt import IdentityPrompt
from promptreid.models.prompts.image_prompt import ImagePrompt
from promptreid.models.prompts.prompt import PromptData
from promptreid.models.prompts.sentences import SentenceFields


def identity_prompt(backbone: Any, identities: int, **options: Any) -> IdentityPrompt:
    """Build a prompt of identities; `fields`, `domains` and `generator` go beside the options."""
    generator, data = options.pop("generator", None), _data(identities, options)
    return IdentityPrompt.build(backbone, PromptConfig(**options), data, generator=generator)


def image_prompt(backbone: Any, **options: Any) -> ImagePrompt:
    """Build a prompt of images; `fields` and `generator` go beside the options."""
    generator, data = options.pop("generator", None), _data(1, options)
    options = PromptConfig(kind="image", **options)
    return ImagePrompt.build(backbone, options, data, generator=generator)


def restored(prompt: Any, backbone: Any, description: dict[str, Any]) -> Any:
    """Build an empty prompt of the same kind from a description."""
    return type(prompt)(backbone, *type(prompt).read_description(description))


def _data(identities: int, options: dict[str, Any]) -> PromptData:
    fields = options.pop("fields", SentenceFields())
    return PromptData(identities, fields, options.pop("domains", None))
