"""Build a model again from what it says of itself, ready for its weights."""

from __future__ import annotations

from typing import Any

from promptreid.config.model import EmbeddingConfig
from promptreid.models.heads.head import Head
from promptreid.models.interaction import Interaction
from promptreid.models.prompts.image_texts import Sentences
from promptreid.models.prompts.prompt_kinds import restore_prompt
from promptreid.models.reid import ReIDModel, tower_widths
from promptreid.models.sie import SideInformation, SideShape
from promptreid.models.towers.backbone import restore_backbone
from promptreid.models.tuning.tuning import restore_tuning


def rebuild_model(description: dict[str, Any], tokenizer: str | None = None) -> ReIDModel:
    """Build an empty model of what `ReIDModel.describe` gave.

    Args:
        description: Options and shapes of all parts.
        tokenizer: Text of the backbone's `tokenizer.json`, when it has one.

    Raises:
        ModelError: The installed OpenCLIP cannot build the backbone.
        ConfigError: Parts do not go together.
        pydantic.ValidationError: An option is missing, unknown or impossible.
    """
    backbone = restore_backbone(description["backbone"], tokenizer)
    restore_tuning(backbone.image, description["tuning"])
    prompt = interaction = head = sie = None
    if description["prompt"] is not None:
        prompt = restore_prompt(backbone, description["prompt"])
    if description["interaction"] is not None:
        options, _ = Interaction.read_description(description["interaction"])
        interaction = Interaction(options, backbone.text.embed_dim)
    if description["head"] is not None:
        options, shape = Head.read_description(description["head"])
        widths = tower_widths(backbone, prompt, interaction)
        head = Head(options, shape, widths, tower=backbone.image)
    if description["sie"] is not None:
        side = SideShape.model_validate(description["sie"])
        sie = SideInformation(**side.model_dump(), width=backbone.image.widths[1])
    return ReIDModel(
        backbone,
        prompt=prompt,
        interaction=interaction,
        sentences=Sentences(**description["sentences"]),
        head=head,
        sie=sie,
        embedding=EmbeddingConfig.model_validate(description["embedding"]),
    )
