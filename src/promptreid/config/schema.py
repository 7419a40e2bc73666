"""The typed recipe: everything a run needs besides its data.

A recipe is a list of stages over one model. Unknown keys are errors. Defaults are the published
CLIP-ReID settings for people with ViT-B/16 where the paper and its code state one.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from promptreid.config.losses import LossTerms


class Strict(BaseModel):
    """Frozen model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _pair(value: object) -> object:
    """Read one integer as a square."""
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


ImageSize = Annotated[tuple[PositiveInt, PositiveInt], BeforeValidator(_pair)]
Triple = tuple[float, float, float]
Fraction = Annotated[float, Field(ge=0, le=1)]
Part = Literal["prompt", "image", "head"]


class BackboneConfig(Strict):
    """Which dual encoder, with which weights, at which size."""

    name: str = "ViT-B-16"
    pretrained: str = "auto"
    """A tag of OpenCLIP, a weights file, `none` for random weights, or `auto`."""
    image_size: ImageSize = (256, 128)
    stride: PositiveInt | None = None
    """Patch stride of a ViT; None for the patch size. 12 with 16-pixel patches is OLP."""
    tokenizer: str | None = None
    """Folder or file of a Hugging Face tokenizer, for backbones whose own must be downloaded."""


class NormalizeConfig(Strict):
    """Explicit pixel statistics."""

    mean: Triple
    std: Triple


class PreprocessConfig(Strict):
    """Pixel statistics and resize filters."""

    normalize: Literal["clip-reid", "native", "imagenet", "half"] | NormalizeConfig = "clip-reid"
    """`clip-reid`: one half for a ViT, ImageNet's for a ResNet, as published; `native`: what the
    pretrained weights were trained with."""
    train_interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    test_interpolation: Literal["bicubic", "bilinear"] = "bilinear"


class SieConfig(Strict):
    """Side information embedding (TransReID), on the class token as CLIP-ReID does."""

    camera: bool = False
    view: bool = False
    coefficient: float = 1.0


class PromptConfig(Strict):
    """What the text tower reads."""

    kind: Literal["identity", "none"] = "identity"
    template: str = "A photo of a {context} person."
    context_tokens: PositiveInt = 4


class HeadConfig(Strict):
    """Neck and classifier."""

    kind: Literal["bnneck", "none"] = "bnneck"
    classifier: Literal["linear"] = "linear"


class EmbeddingConfig(Strict):
    """Which features make the retrieval vector; they are joined, then L2-normalised together."""

    features: tuple[Literal["penultimate", "final", "projected"], ...] = Field(
        default=("final", "projected"), min_length=1
    )
    neck: Literal["before", "after"] = "before"


class AugmentConfig(Strict):
    """Training augmentation, in order: flip, pad and crop, normalise, erase."""

    flip: Fraction = 0.5
    pad: int = Field(default=10, ge=0)
    erase: Fraction = 0.5


class BatchConfig(Strict):
    """Either `size` random images, or `identities` times `images` of each."""

    size: PositiveInt | None = None
    identities: Annotated[int, Field(ge=2)] | None = None
    images: Annotated[int, Field(ge=2)] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> BatchConfig:
        if (self.size is None) == (self.identities is None):
            raise ValueError("give either size, or identities and images")
        if (self.identities is None) != (self.images is None):
            raise ValueError("identities and images belong together; give both or neither")
        return self

    @property
    def total(self) -> int:
        """Images in a full batch."""
        return self.size or (self.identities or 0) * (self.images or 0)


class OptimizerConfig(Strict):
    """Optimizer of one stage."""

    name: Literal["adam", "adamw", "sgd"] = "adam"
    lr: PositiveFloat = 3.5e-4
    weight_decay: float = Field(default=1e-4, ge=0)
    """L2 penalty for adam and sgd, decoupled for adamw."""
    bias_lr_factor: PositiveFloat = 1.0
    """Multiplies the learning rate of every parameter whose name contains `bias`."""
    part_lr_factors: dict[Part, PositiveFloat] = Field(default_factory=dict)
    """Multiplies the learning rate of whole parts, such as `{head: 10}` for new classifiers."""
    momentum: Fraction = 0.9
    """Of sgd."""


class ScheduleConfig(Strict):
    """Learning rate per epoch, epochs counted from 1 (see `promptreid.training.schedule`)."""

    name: Literal["cosine", "multistep", "constant"] = "constant"
    warmup_epochs: int = Field(default=0, ge=0)
    warmup_lr: float | None = Field(default=None, ge=0)
    """Cosine: the rate the linear warm-up starts from."""
    warmup_factor: float | None = Field(default=None, gt=0, le=1)
    """Multistep and constant: the factor the linear warm-up starts from."""
    lr_min: float = Field(default=0.0, ge=0)
    milestones: tuple[PositiveInt, ...] = ()
    gamma: float = Field(default=0.1, gt=0)


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

    @model_validator(mode="after")
    def _cached_means_frozen(self) -> StageConfig:
        if self.images == "cached" and set(self.learns) & {"image", "head"}:
            raise ValueError(
                "images: cached needs a frozen image tower; take image and head out of learns"
            )
        if self.images == "cached" and self.batch.size is None:
            raise ValueError("images: cached takes random images; give batch.size")
        return self


class ValidationConfig(Strict):
    """Images that choose the best checkpoint; never of a test identity."""

    kind: Literal["auto", "images", "identities", "none"] = "auto"
    """`auto`: the data set's own validation images if it has some, else none; `images`: one image
    of each training identity; `identities`: some identities are held out of training."""
    fraction: float = Field(default=0.1, gt=0, lt=1)
    every: PositiveInt = 1
    metric: Literal["mAP", "mINP", "rank1"] = "mAP"


class Recipe(Strict):
    """A named list of stages over one model."""

    name: str
    description: str = ""
    source: str = ""
    backbone: BackboneConfig = BackboneConfig()
    preprocess: PreprocessConfig = PreprocessConfig()
    sie: SieConfig = SieConfig()
    prompt: PromptConfig = PromptConfig()
    head: HeadConfig = HeadConfig()
    embedding: EmbeddingConfig = EmbeddingConfig()
    stages: tuple[StageConfig, ...] = ()
    validation: ValidationConfig = ValidationConfig()
    precision: Literal["auto", "fp32", "bf16"] = "auto"

    @model_validator(mode="after")
    def _parts_exist(self) -> Recipe:
        names = [stage.name for stage in self.stages]
        if len(set(names)) != len(names):
            raise ValueError(f"two stages share a name: {', '.join(names)}")
        for stage in self.stages:
            needed: set[str] = set(stage.learns)
            for loss in stage.losses.active().values():
                needed.update(loss.needs)
            for part, kind in (("prompt", self.prompt.kind), ("head", self.head.kind)):
                if part in needed and kind == "none":
                    raise ValueError(
                        f"stage {stage.name} needs a {part}, but {part}.kind is none; "
                        f"set {part}.kind or change learns and losses"
                    )
        if self.embedding.neck == "after" and self.head.kind == "none":
            raise ValueError("embedding.neck: after needs a head; set head.kind or neck: before")
        return self
