"""The typed recipe: everything a run needs besides its data.

A recipe is a list of stages over one model. Unknown keys are errors. Defaults are the published
CLIP-ReID settings for people with ViT-B/16 where the paper and its code state one.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from promptreid.config.augment import AugmentConfig
from promptreid.config.base import (
    CLASSIFIERS,
    TOWER_FEATURES,
    Part,
    Strict,
    Templates,
)
from promptreid.config.losses import LossTerms
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
from promptreid.config.optimize import BatchConfig, OptimizerConfig, ScheduleConfig


class StageConfig(Strict):
    """What learns, from which losses, on which batches, for how long."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    learns: tuple[Part, ...] = Field(min_length=1)
    images: Literal["augmented", "cached"] = "augmented"
    """`cached`: features of the frozen image tower, taken once with the test transform."""
    losses: LossTerms
    batch: BatchConfig
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    epochs: PositiveInt = 60
    augment: AugmentConfig = AugmentConfig()
    accumulate: PositiveInt = 1
    """Micro-batches per optimizer step; each term is averaged over them."""
    clip_norm: PositiveFloat | None = None
    """Largest gradient norm, applied before the step; None for no clipping."""
    blocks: PositiveInt | None = None
    """Last blocks (ViT) or layers (ResNet) of the image tower that learn, with what comes after
    them; None for the whole tower."""
    text: Literal["step", "epoch"] = "step"
    """How often the text features of all identities are computed anew while prompts or the text
    tower learn; frozen ones are computed once."""
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay of an average of the weights, which is what is validated and saved; None for none."""
    views: Literal[1, 2] = 1
    """Differently augmented copies of each image in a batch."""
    domains: Literal["joint", "mean", "sum"] = "joint"
    """How several data sets learn together: `joint` as one set with one label space; `mean` or
    `sum` over losses computed within each, in batches that hold `batch` of every one."""
    labels: Literal["identity", "instance"] = "identity"
    """`instance`: each image is its own class, as for pictures nobody has labelled."""
    hardest: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Learn from this share of the images only, those the model confuses most when the stage
    begins; None for all."""

    @property
    def moves_embedding(self) -> bool:
        """Whether retrieval vectors change while this stage runs."""
        return bool(
            set(self.learns) & {"image", "visual_prompt", "lora", "adapter", "interaction", "head"}
        )

    @model_validator(mode="after")
    def _two_views_for_moco(self) -> StageConfig:
        if self.losses.moco is not None and self.losses.moco.weight > 0 and self.views != 2:
            raise ValueError("the moco loss compares two views of each image; set views: 2")
        if self.labels == "instance" and any(
            set(term.needs) & {"prompt"} or term.classifier or name == "center"
            for name, term in self.losses.active().items()
        ):
            raise ValueError(
                "labels: instance has no identities, so no loss may read prompts, classifiers or "
                "centers"
            )
        kept = [name for name in ("center", "memory", "moco") if name in self.losses.active()]
        if self.domains != "joint" and (kept or self.augment.mix is not None):
            raise ValueError(
                f"{', '.join([*kept, *['augment.mix'] * (self.augment.mix is not None)])} spans "
                "all identities at once; set domains: joint or leave it out"
            )
        if self.labels == "instance" and self.batch.size is None:
            raise ValueError("labels: instance takes random images; give batch.size")
        return self

    @model_validator(mode="after")
    def _cosine_falls(self) -> StageConfig:
        rate, schedule = self.optimizer.lr, self.schedule
        if schedule.name != "cosine":
            return self
        if schedule.lr_min >= rate:
            raise ValueError(
                f"the cosine schedule goes from optimizer.lr, {rate:g}, down to schedule.lr_min, "
                f"{schedule.lr_min:g}, which is not below it; lower schedule.lr_min, raise "
                "optimizer.lr, or set schedule.name: constant"
            )
        if schedule.warmup_epochs and (schedule.warmup_lr or 0.0) > rate:
            raise ValueError(
                f"the warm-up rises from schedule.warmup_lr, {schedule.warmup_lr:g}, to "
                f"optimizer.lr, {rate:g}, which is below it; lower schedule.warmup_lr"
            )
        return self

    @model_validator(mode="after")
    def _cached_means_frozen(self) -> StageConfig:
        if self.images == "cached" and set(self.learns) - {"prompt", "text"}:
            raise ValueError(
                "images: cached needs a frozen image tower; only prompt and text can be in learns"
            )
        reads = [name for name, term in self.losses.active().items() if term.reads]
        if self.images == "cached" and reads:
            raise ValueError(
                f"images: cached has only frozen features, so the losses {', '.join(reads)} teach "
                "nothing; take images: augmented or leave them out"
            )
        if self.images == "cached" and self.views == 2:
            raise ValueError("images: cached has no augmentation, so it has no second view")
        if self.images == "cached" and self.batch.size is None:
            raise ValueError("images: cached takes random images; give batch.size")
        return self


class ValidationConfig(Strict):
    """Images that choose the best checkpoint; never of a test identity."""

    kind: Literal["auto", "images", "identities", "folds", "none"] = "auto"
    """`auto`: the data set's own validation images if it has some; else, of `folder` and `csv`
    data, `identities` from 20 training identities on and `folds` below; of published data `none`.
    `images`: one image of each training identity; `identities`: some identities are held out of
    training; `folds`: all images learn, and the threshold is chosen by cross-fitting."""
    fraction: float = Field(default=0.1, gt=0, lt=1)
    every: PositiveInt = 1
    """Epochs from one validation to the next; the last epoch of a stage is always validated."""
    metric: Literal["mAP", "mINP", "rank1"] = "mAP"
    """What chooses the best checkpoint, and what `patience` waits for."""
    patience: PositiveInt | None = None
    """Validations in a row without a better score after which a stage ends early; with `every: 1`
    these are epochs. None for all epochs. Counted anew in each stage; a stage that does not move
    the retrieval vector is not validated and never ends early. Without validation images none
    does."""
    min_delta: float = Field(default=0.0, ge=0, lt=1)
    """A score is better for `patience` when it rises by more than this (0.01 is one point of
    100). The best checkpoint is the one with the best score, however small its lead."""

    @model_validator(mode="after")
    def _something_to_beat(self) -> ValidationConfig:
        if self.min_delta and self.patience is None:
            raise ValueError("min_delta says what counts as better for patience; give patience")
        return self


class CheckpointConfig(Strict):
    """Checkpoints that stay, beside the best and the last one."""

    every: PositiveInt | None = None
    """Keep a checkpoint after each so many epochs of the run, counted over all its stages:
    `checkpoints/epoch-010.safetensors`. None for none."""
    keep: PositiveInt | None = None
    """How many of them stay, the newest; None for all."""

    @model_validator(mode="after")
    def _kept_of_some(self) -> CheckpointConfig:
        if self.keep is not None and self.every is None:
            raise ValueError(
                "keep says how many of the checkpoints of `every` stay; give every, too"
            )
        return self


class StartConfig(Strict):
    """Weights of an earlier run to start from; what it lacks starts fresh."""

    checkpoint: str | None = None
    """A run folder or a checkpoint file."""
    parts: tuple[Part, ...] | None = None
    """What to take; None for everything that fits. Prompts and classifiers are taken identity by
    identity, by name."""


class ZeroShotConfig(Strict):
    """Attributes to read off the images with hand-written sentences."""

    attributes: dict[str, Templates] = Field(default_factory=dict)
    """Attribute to sentences with its name as a field, such as
    `{aspect: "a photo of a {aspect} hand"}`; several sentences are averaged."""


class EvaluationConfig(Strict):
    """How a run scores itself; `promptreid evaluate` can say otherwise."""

    flip: bool = False
    """Average each embedding with that of the mirrored image."""
    query_expansion: int = Field(default=0, ge=0)
    """Neighbours averaged into each query (and gallery image); 0 for none."""
    expansion_power: float = Field(default=3.0, ge=0)
    """Weights are similarities to this power; 0 for plain averages."""
    rerank: bool = False
    """k-reciprocal re-ranking, k1 20, k2 6, lambda 0.3."""
    sentences: float = Field(default=0.0, ge=0, lt=1)
    """Share of `zero_shot.attributes` in the similarity of two images: the cosine of what the
    sentences say of them, the rest being the cosine of their embeddings. 0 for images alone."""


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
    """Which stages run: those that learn prompts alone, the others, or all."""
    stages: tuple[StageConfig, ...] = ()
    validation: ValidationConfig = ValidationConfig()
    checkpoints: CheckpointConfig = CheckpointConfig()
    zero_shot: ZeroShotConfig = ZeroShotConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    precision: Literal["auto", "fp32", "bf16"] = "auto"

    @model_validator(mode="before")
    @classmethod
    def _stages_of_the_mode(cls, values: Any) -> Any:
        """Leave out the stages that `stage_mode` does not run."""
        if not isinstance(values, dict) or not isinstance(values.get("stages"), (list, tuple)):
            return values
        mode = values.get("stage_mode", "prompts_then_image")
        if mode not in ("prompts_only", "image_only"):
            return values
        kept = [
            stage
            for stage in values["stages"]
            if not isinstance(stage, dict)
            or (list(stage.get("learns") or ()) == ["prompt"]) == (mode == "prompts_only")
        ]
        return {**values, "stages": kept}

    @property
    def classifiers(self) -> tuple[str, ...]:
        """Kinds of classifiers that some stage trains, in a fixed order."""
        wanted = {
            term.classifier for stage in self.stages for term in stage.losses.active().values()
        }
        return tuple(kind for kind in CLASSIFIERS if kind in wanted)

    @model_validator(mode="after")
    def _sentences_exist(self) -> Recipe:
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
    def _parts_exist(self) -> Recipe:
        names = [stage.name for stage in self.stages]
        if len(set(names)) != len(names):
            raise ValueError(f"two stages share a name: {', '.join(names)}")
        if self.prompt.kind == "image":
            for stage in self.stages:
                active = set(stage.losses.active())
                lost = {"i2t", "prompt_l2", "prompt_orthogonal"} & active
                if lost or stage.images == "cached":
                    what = ", ".join(sorted(lost)) or "images: cached"
                    raise ValueError(
                        f"stage {stage.name}: {what} needs prompts of identities; with prompt.kind "
                        "image use supcon_i2t and supcon_t2i on augmented images"
                    )
            plain = PromptConfig()
            ignored = [
                name
                for name in (
                    "context",
                    "ensemble",
                    "init",
                    "dropout",
                    "shared_tokens",
                    "domain_tokens",
                )
                if getattr(self.prompt, name) != getattr(plain, name)
            ]
            if ignored:
                raise ValueError(
                    f"prompt.{ignored[0]} is for prompts of identities; prompt.kind image has one "
                    "word, which is computed"
                )
        if self.interaction.mode != "none" and self.prompt.kind != "image":
            raise ValueError("an interaction needs a sentence per image; set prompt.kind: image")
        there = {
            "prompt": (self.prompt.kind != "none", "prompt.kind"),
            "head": (self.head.kind != "none", "head.kind"),
            "visual_prompt": (self.tuning.visual_prompt is not None, "tuning.visual_prompt"),
            "lora": (self.tuning.lora is not None, "tuning.lora"),
            "adapter": (self.tuning.adapter is not None, "tuning.adapter"),
            "interaction": (self.interaction.mode != "none", "interaction.mode"),
        }
        for stage in self.stages:
            needed: set[str] = set(stage.learns)
            for loss in stage.losses.active().values():
                needed.update(loss.needs)
            for part, (present, key) in there.items():
                if part in needed and not present:
                    raise ValueError(
                        f"stage {stage.name} needs a {part}, but {key} is none; "
                        f"set {key} or change learns and losses"
                    )
        return self

    @model_validator(mode="after")
    def _features_exist(self) -> Recipe:
        known = self.head.names if self.head.kind != "none" else TOWER_FEATURES
        if self.prompt.kind == "image":
            known = (*known, "text")
        if self.interaction.mode != "none":
            known = (*known, "fused")
        asked = [("head.features", self.head.features)] if self.head.kind != "none" else []
        asked += [("embedding.features", self.embedding.features)]
        asked += [
            (f"stages.{stage.name}.losses.{name}.features", term.reads)
            for stage in self.stages
            for name, term in stage.losses.active().items()
        ]
        for key, wanted in asked:
            for name in wanted:
                if name not in known:
                    raise ValueError(
                        f"{key} names {name!r}, which this model does not have; it has "
                        f"{', '.join(known)} (head.mlp, head.reduction and head.parts make more)"
                    )
            if len(set(wanted)) < len(wanted):
                raise ValueError(f"{key} names a feature twice: {', '.join(wanted)}")
        if self.embedding.neck == "after":
            missing = [name for name in self.embedding.features if name not in self.head.features]
            if self.head.kind == "none" or missing:
                raise ValueError(
                    "embedding.neck: after needs a head with a neck for each embedding feature; "
                    "set head.kind and head.features, or neck: before"
                )
            if self.head.necks == "domain":
                raise ValueError(
                    "embedding.neck: after has no meaning with head.necks: domain, since the "
                    "domain of a query is not known; take neck: before or head.necks: shared"
                )
        if self.head.necks == "domain" and self.head.kind != "bnneck":
            raise ValueError(
                f"head.necks: domain needs head.kind: bnneck; {self.head.kind} has no necks"
            )
        return self
