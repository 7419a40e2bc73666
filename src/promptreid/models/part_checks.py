"""Parts of a model that do not go together, said in words."""

from __future__ import annotations

from collections.abc import Collection

from promptreid.config.model import EmbeddingConfig
from promptreid.errors import ConfigError, ModelError, unknown_name
from promptreid.models.heads.head import Head
from promptreid.models.interaction import Interaction
from promptreid.models.prompts.prompt import Prompt, PromptOfImages
from promptreid.models.sie import SideInformation
from promptreid.models.towers.backbone import Backbone


def check_interaction(interaction: Interaction | None, prompt: Prompt | None) -> None:
    """Raise `ConfigError` when an interaction has no sentence of each image to work with."""
    if interaction is not None and not isinstance(prompt, PromptOfImages):
        raise ConfigError(
            "An interaction needs a sentence for each image: set prompt.kind to image, or "
            "interaction.mode to none."
        )


def check_side_information(sie: SideInformation, backbone: Backbone) -> None:
    """Raise `ModelError` unless the table is as wide as the image tower's tokens."""
    image = backbone.image
    if not (image.takes_sides and sie.width == image.widths[1]):
        raise ModelError(
            f"Camera and view embeddings of width {sie.width} need a vision transformer with a "
            f"class token of that width; backbone {backbone.name} has "
            + (f"width {image.widths[1]}." if image.takes_sides else "none.")
        )


def check_embedding(embedding: EmbeddingConfig, widths: Collection[str], head: Head | None) -> None:
    """Raise `ConfigError` unless the model makes the embedding's features, with necks if asked."""
    features = embedding.features
    if len(set(features)) != len(features):
        raise ConfigError(f"The embedding needs distinct features, got {list(features)}.")
    for name in features:
        if name not in widths:
            raise ConfigError(unknown_name("image feature", name, list(widths)))
    if embedding.neck == "after":
        necks = head.features if head is not None else ()
        missing = [name for name in features if name not in necks]
        if missing:
            raise ConfigError(
                "The embedding is to be taken after the neck, but there is no neck for "
                f"{missing}. Take it 'before' the neck, or add a head with these features."
            )
