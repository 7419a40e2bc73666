"""Rules on what the parts of a recipe need of each other; a ValueError names the keys at fault."""

from __future__ import annotations

from collections.abc import Sequence

from promptreid.config.base import TOWER_FEATURES
from promptreid.config.model import (
    EmbeddingConfig,
    HeadConfig,
    InteractionConfig,
    PromptConfig,
    TuningConfig,
)
from promptreid.config.stage import StageConfig

_IDENTITY_PROMPT_OPTIONS = (
    "context", "ensemble", "init", "dropout", "shared_tokens", "domain_tokens",
)  # fmt: skip


def check_stage_names(stages: Sequence[StageConfig]) -> None:
    """Refuse two stages of one name, since overrides and resuming go by it."""
    names = [stage.name for stage in stages]
    if len(set(names)) != len(names):
        raise ValueError(f"two stages share a name: {', '.join(names)}")


def check_image_prompt(prompt: PromptConfig, stages: Sequence[StageConfig]) -> None:
    """Refuse what only prompts of identities have where the prompt is made from each image."""
    if prompt.text_of != "images":
        return
    for stage in stages:
        active = stage.losses.active().items()
        losses = [name for name, term in active if term.needs_identity_prompts]
        if losses or stage.images == "cached":
            what = ", ".join(sorted(losses)) or "images: cached"
            raise ValueError(
                f"stage {stage.name}: {what} needs prompts of identities; with prompt.kind "
                "image use supcon_i2t and supcon_t2i on augmented images"
            )
    default = PromptConfig()
    for name in _IDENTITY_PROMPT_OPTIONS:
        if getattr(prompt, name) != getattr(default, name):
            raise ValueError(
                f"prompt.{name} is for prompts of identities; prompt.kind image has one "
                "word, which is computed"
            )


def check_parts(
    prompt: PromptConfig,
    interaction: InteractionConfig,
    head: HeadConfig,
    tuning: TuningConfig,
    stages: Sequence[StageConfig],
) -> None:
    """Refuse stages that train or read a part which the model does not have."""
    if interaction.mode != "none" and prompt.text_of != "images":
        raise ValueError("an interaction needs a sentence per image; set prompt.kind: image")
    present = {
        "prompt": (prompt.kind != "none", "prompt.kind"),
        "head": (head.kind != "none", "head.kind"),
        **{part: (options is not None, f"tuning.{part}") for part, options in tuning},
        "interaction": (interaction.mode != "none", "interaction.mode"),
    }
    for stage in stages:
        needed: set[str] = set(stage.learns)
        needed.update(*(loss.needs for loss in stage.losses.active().values()))
        for part, (is_present, key) in present.items():
            if part in needed and not is_present:
                raise ValueError(
                    f"stage {stage.name} needs a {part}, but {key} is none; "
                    f"set {key} or change learns and losses"
                )


def check_features(
    prompt: PromptConfig,
    interaction: InteractionConfig,
    head: HeadConfig,
    embedding: EmbeddingConfig,
    stages: Sequence[StageConfig],
) -> None:
    """Refuse names of image features that the model does not make, and names given twice."""
    known = head.names if head.kind != "none" else TOWER_FEATURES
    if prompt.text_of == "images":
        known = (*known, "text")
    if interaction.mode != "none":
        known = (*known, "fused")
    asked = [("head.features", head.features)] if head.kind != "none" else []
    asked += [("embedding.features", embedding.features)]
    asked += [
        (f"stages.{stage.name}.losses.{name}.features", term.reads)
        for stage in stages
        for name, term in stage.losses.active().items()
    ]
    for key, features in asked:
        for name in features:
            if name not in known:
                raise ValueError(
                    f"{key} names {name!r}, which this model does not have; it has "
                    f"{', '.join(known)} (head.mlp, head.reduction and head.parts make more)"
                )
        if len(set(features)) < len(features):
            raise ValueError(f"{key} names a feature twice: {', '.join(features)}")


def check_neck(head: HeadConfig, embedding: EmbeddingConfig) -> None:
    """Refuse embeddings behind a neck that is not there or that depends on the domain."""
    if embedding.neck == "after":
        if head.kind == "none" or set(embedding.features) - set(head.features):
            raise ValueError(
                "embedding.neck: after needs a head with a neck for each embedding feature; "
                "set head.kind and head.features, or neck: before"
            )
        if head.necks == "domain":
            raise ValueError(
                "embedding.neck: after has no meaning with head.necks: domain, since the "
                "domain of a query is not known; take neck: before or head.necks: shared"
            )
    if head.necks == "domain" and head.kind != "bnneck":
        raise ValueError(f"head.necks: domain needs head.kind: bnneck; {head.kind} has no necks")
