"""The typed recipe: everything a run needs besides its data.

A recipe is a list of stages over one model. Unknown keys are errors. Defaults are the published
CLIP-ReID settings for people with ViT-B/16 where the paper and its code state one.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from promptreid.config.base import CLASSIFIERS, Strict
from promptreid.config.checkpoints import CheckpointConfig, StartConfig
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
from promptreid.config.recipe_rules import (
    check_features,
    check_image_prompt,
    check_neck,
    check_parts,
    check_stage_names,
)
from promptreid.config.scoring import EvaluationConfig, ValidationConfig, ZeroShotConfig
from promptreid.config.stage import StageConfig


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
    precision: Literal["auto", "fp32", "bf16"] = "auto"

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
    def _check_sentences(self) -> Recipe:
        if self.evaluation.sentences and not self.zero_shot.attributes:
            raise ValueError(
                "evaluation.sentences gives sentences a share in the similarity, but there are "
                "none; give some in zero_shot.attributes"
            )
        if self.evaluation.sentences and self.stages:
            raise ValueError(
                "evaluation.sentences is for recipes without stages, whose scores are zero-shot; "
                "score a trained run with promptreid evaluate --sentences"
            )
        return self

    @model_validator(mode="after")
    def _check_together(self) -> Recipe:
        check_stage_names(self.stages)
        check_image_prompt(self.prompt, self.stages)
        check_parts(self.prompt, self.interaction, self.head, self.tuning, self.stages)
        check_features(self.prompt, self.interaction, self.head, self.embedding, self.stages)
        check_neck(self.head, self.embedding)
        return self
