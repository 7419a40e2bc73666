"""The typed recipe: everything a run needs besides its data, and what its parts need of each other.

A recipe is a list of stages over one model. Unknown keys are errors. Defaults are the published
CLIP-ReID settings for people with ViT-B/16 where the paper and its code state one.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from promptreid.config.base import CLASSIFIERS, TOWER_FEATURES, Strict
from promptreid.config.checkpoints import CheckpointConfig, StartConfig
from promptreid.config.hardware import HardwareConfig
from promptreid.config.model import (
    BackboneConfig,
    EmbeddingConfig,
    HeadConfig,
    InteractionConfig,
    PreprocessConfig,
    PromptConfig,
    SieConfig,
    TuningConfig,
)
from promptreid.config.reading.own_backbones import IMAGE_ONLY
from promptreid.config.scoring import EvaluationConfig, ValidationConfig, ZeroShotConfig
from promptreid.config.stage import StageConfig

_IDENTITY_PROMPT_OPTIONS = (
    "context", "ensemble", "init", "dropout", "shared_tokens", "domain_tokens",
)  # fmt: skip


class Recipe(Strict):
    """A named list of stages over one model."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: str = ""
    source: str = ""
    backbone: BackboneConfig = BackboneConfig()
    preprocess: PreprocessConfig = PreprocessConfig()
    tuning: TuningConfig = TuningConfig()
    sie: SieConfig = SieConfig()
    prompt: PromptConfig = PromptConfig()
    interaction: InteractionConfig = InteractionConfig()
    head: HeadConfig = HeadConfig()
    embedding: EmbeddingConfig = EmbeddingConfig()
    start: StartConfig = StartConfig()
    stage_mode: Literal["prompts_only", "image_only", "prompts_then_image"] = "prompts_then_image"
    """The stages that run: those that learn prompts alone, the others, or all."""
    stages: tuple[StageConfig, ...] = ()
    validation: ValidationConfig = ValidationConfig()
    checkpoints: CheckpointConfig = CheckpointConfig()
    zero_shot: ZeroShotConfig = ZeroShotConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    hardware: HardwareConfig = HardwareConfig()

    @property
    def classifiers(self) -> tuple[str, ...]:
        """Kinds of classifiers that some stage trains, in a fixed order."""
        wanted = {
            term.classifier for stage in self.stages for term in stage.losses.active().values()
        }
        return tuple(kind for kind in CLASSIFIERS if kind in wanted)

    @model_validator(mode="before")
    @classmethod
    def _select_stages(cls, values: Any) -> Any:
        """Leave out the stages that `stage_mode` does not run."""
        if not isinstance(values, dict) or not isinstance(values.get("stages"), (list, tuple)):
            return values
        mode = values.get("stage_mode", "prompts_then_image")
        if mode not in ("prompts_only", "image_only"):
            return values
        selected = [
            stage
            for stage in values["stages"]
            if not isinstance(stage, dict)
            or (list(stage.get("learns") or ()) == ["prompt"]) == (mode == "prompts_only")
        ]
        return {**values, "stages": selected}

    @model_validator(mode="after")
    def _check_together(self) -> Recipe:
        _check_text(self)
        _check_sentences(self)
        _check_stage_names(self)
        _check_image_prompt(self)
        _check_parts(self)
        _check_features(self)
        _check_neck(self)
        return self


def _check_text(recipe: Recipe) -> None:
    """Refuse prompts and sentences where the backbone has no text tower to read them."""
    if recipe.backbone.name not in IMAGE_ONLY:
        return
    keys = ["prompt.kind"] if recipe.prompt.kind != "none" else []
    keys += ["zero_shot.attributes"] if recipe.zero_shot.attributes else []
    if keys:
        raise ValueError(
            f"the backbone {recipe.backbone.name} has no text tower, so {' and '.join(keys)} must "
            "be none; finetune-losses and zero-shot are recipes without texts, and dual encoders "
            "such as ViT-B-16 have both towers"
        )


def _check_sentences(recipe: Recipe) -> None:
    """Refuse a share of sentences in the similarity without sentences, or after training."""
    if not recipe.evaluation.sentences:
        return
    if not recipe.zero_shot.attributes:
        raise ValueError(
            "evaluation.sentences gives sentences a share in the similarity, but there are "
            "none; give some in zero_shot.attributes"
        )
    if recipe.stages:
        raise ValueError(
            "evaluation.sentences is for recipes without stages, whose scores are zero-shot; "
            "score a trained run with promptreid evaluate --sentences"
        )


def _check_stage_names(recipe: Recipe) -> None:
    """Refuse two stages of one name, since overrides and resuming go by it."""
    names = [stage.name for stage in recipe.stages]
    if len(set(names)) != len(names):
        raise ValueError(f"two stages share a name: {', '.join(names)}")


def _check_image_prompt(recipe: Recipe) -> None:
    """Refuse what only prompts of identities have where the prompt is made from each image."""
    if not recipe.prompt.per_image:
        return
    for stage in recipe.stages:
        active = stage.losses.active().items()
        losses = [name for name, term in active if term.needs_identity_prompts]
        if losses or stage.images == "cached":
            at_fault = ", ".join(sorted(losses)) or "images: cached"
            raise ValueError(
                f"stage {stage.name}: {at_fault} needs prompts of identities; with prompt.kind "
                "image use supcon_i2t and supcon_t2i on augmented images"
            )
    default = PromptConfig()
    for name in _IDENTITY_PROMPT_OPTIONS:
        if getattr(recipe.prompt, name) != getattr(default, name):
            raise ValueError(
                f"prompt.{name} is for prompts of identities; prompt.kind image has one "
                "word, which is computed"
            )


def _check_parts(recipe: Recipe) -> None:
    """Refuse stages that train or read a part which the model does not have."""
    if recipe.interaction.mode != "none" and not recipe.prompt.per_image:
        raise ValueError("an interaction needs a sentence per image; set prompt.kind: image")
    present = {
        "prompt": (recipe.prompt.kind != "none", "prompt.kind"),
        "head": (recipe.head.kind != "none", "head.kind"),
        **{part: (options is not None, f"tuning.{part}") for part, options in recipe.tuning},
        "interaction": (recipe.interaction.mode != "none", "interaction.mode"),
    }
    for stage in recipe.stages:
        losses = stage.losses.active().values()
        needed = {*stage.learns, *(part for loss in losses for part in loss.needs)}
        for part, (is_present, key) in present.items():
            if part in needed and not is_present:
                raise ValueError(
                    f"stage {stage.name} needs a {part}, but {key} is none; "
                    f"set {key} or change learns and losses"
                )


def _check_features(recipe: Recipe) -> None:
    """Refuse names of image features that the model does not make, and names given twice."""
    head = recipe.head
    known = head.names if head.kind != "none" else TOWER_FEATURES
    known += ("text",) if recipe.prompt.per_image else ()
    known += ("fused",) if recipe.interaction.mode != "none" else ()
    asked = [("head.features", head.features)] if head.kind != "none" else []
    asked += [("embedding.features", recipe.embedding.features)]
    asked += [
        (f"stages.{stage.name}.losses.{name}.features", term.reads)
        for stage in recipe.stages
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


def _check_neck(recipe: Recipe) -> None:
    """Refuse embeddings behind a neck that is not there or that depends on the domain."""
    head = recipe.head
    if recipe.embedding.neck == "after":
        if head.kind == "none" or set(recipe.embedding.features) - set(head.features):
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
