"""The model of a recipe: backbone, preprocessing, additions to the image tower, prompt, head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt

from promptreid.config.base import TOWER_FEATURES, ImageSize, Strict, Templates, Triple
from promptreid.config.losses import Features
from promptreid.config.reading.spellings import backbone_name


class BackboneConfig(Strict):
    """The dual encoder: its architecture, weights and image size."""

    name: Annotated[str, BeforeValidator(backbone_name)] = "ViT-B-16"
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


class VisualPromptConfig(Strict):
    """Learned tokens on the image side (Jia et al., ECCV 2022); the part `visual_prompt`."""

    tokens: PositiveInt = 5
    deep: bool = False
    """Fresh tokens at every block instead of the first only."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0


class LoraConfig(Strict):
    """Low-rank updates of the image tower's matrices (Hu et al., ICLR 2022); the part `lora`."""

    rank: PositiveInt = 8
    alpha: PositiveFloat = 16.0
    """The update is multiplied by alpha / rank."""
    targets: Annotated[tuple[Literal["attention", "mlp"], ...], Field(min_length=1)] = (
        "attention",
    )


class AdapterConfig(Strict):
    """Semantic Grouping Adapter on the last tokens (MTA-CLIP); the part `adapter`."""

    groups: PositiveInt = 32
    """Groups of channels; they must divide the tower's width."""
    ratio: PositiveInt = 16
    """Width over the hidden width of the global branch."""
    gate: Literal["mean", "spatial", "constant"] = "mean"
    """How a group is weighted: by its mean over the tokens, token by token, or by a learned
    number."""
    fusion: Literal["global", "group"] = "global"
    """One pair of softmax weights for the two branches, or one per group."""
    class_token: Literal["mean", "all", "before", "pooled"] = "mean"
    """How a ViT's class token hears of it: it gets the mean change of the patches; it passes the
    adapter itself; the adapter stands before the last block; or it is averaged with the patches."""


class TuningConfig(Strict):
    """Small additions to a frozen image tower."""

    visual_prompt: VisualPromptConfig | None = None
    lora: LoraConfig | None = None
    adapter: AdapterConfig | None = None


PARTS = ("prompt", "image", *TuningConfig.model_fields, "text", "interaction", "head")
"""Parts of a model that a stage can let learn."""

if TYPE_CHECKING:
    Part = str
else:
    Part = Literal[*PARTS]


class SieConfig(Strict):
    """Side information embedding (TransReID), on the class token as CLIP-ReID does."""

    camera: bool = False
    view: bool = False
    attribute: str | None = None
    """An attribute of the data, such as `aspect`, in place of the view."""
    coefficient: float = 1.0


class PromptConfig(Strict):
    """What the text tower reads."""

    kind: Literal["identity", "image", "none"] = "identity"
    """`identity`: learned tokens per identity; `image`: a word computed from each image
    (PromptSG)."""
    template: Templates = ("A photo of a {context} person.",)
    """`{context}` is where the learned tokens stand; any other field, such as `{aspect}`, is
    filled from the attribute of that name. Several templates are given to the prompts of an
    ensemble in turn."""
    context_tokens: PositiveInt = 4
    context: Literal["identity", "shared"] = "identity"
    """Tokens of each identity's own, or one set for all; the template must then tell identities
    apart by attributes."""
    ensemble: PositiveInt = 1
    """Prompts per identity, whose text features are averaged."""
    init: str | None = None
    """Words the learned tokens start from, with fields as in the template; None for random."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout of the learned tokens, while they learn."""
    shared_tokens: int = Field(default=0, ge=0)
    """Learned tokens that all identities share, before the others (MTA-CLIP)."""
    domain_tokens: int = Field(default=0, ge=0)
    """Learned tokens of each data set or domain, after the shared ones."""
    shared_init: str | None = None
    """Words the shared tokens start from; None for random."""
    domain_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Probability of the mean domain's tokens in place of an identity's own domain's."""
    hidden: PositiveInt = 512
    """Hidden width of the network that computes the word of kind `image`."""

    @property
    def per_image(self) -> bool:
        """Whether the texts stand for images and not for identities."""
        return self.kind == "image"


class HeadPartConfig(Strict):
    """A part of a head that makes further features of an image."""

    gives: ClassVar[str] = ""
    """Name of the feature it gives, where it gives one."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features it gives, in order."""
        return (self.gives,)


class MlpConfig(HeadPartConfig):
    """Two-layer projection (Chen et al., ICML 2020); gives the feature `mlp`."""

    gives: ClassVar[str] = "mlp"
    of: str = "final"
    hidden: PositiveInt | None = None
    """Width between the layers; None for that of the input."""
    width: PositiveInt = 128


class ReductionConfig(HeadPartConfig):
    """Linear reduction; gives the feature `reduced`."""

    gives: ClassVar[str] = "reduced"
    of: str = "projected"
    width: PositiveInt = 256


class PartsConfig(HeadPartConfig):
    """Branches that look at stripes of the image.

    `pcb` (Sun et al., ECCV 2018) gives `part1`, `part2`, ...; `mgn` (Wang et al., ACM MM 2018)
    gives `global1` to `global3` and `part1` to `part5`, from its own copies of the last layer.
    """

    kind: Literal["pcb", "mgn"] = "pcb"
    stripes: Annotated[int, Field(ge=2)] = 6
    """Number of stripes of pcb; mgn has two and three."""
    width: PositiveInt = 256

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features these branches give, in order."""
        if self.kind == "pcb":
            return tuple(f"part{number}" for number in range(1, self.stripes + 1))
        return tuple(f"global{n}" for n in (1, 2, 3)) + tuple(f"part{n}" for n in range(1, 6))


class HeadConfig(Strict):
    """Neck, further features and classifiers.

    Which classifiers there are follows from the losses: `id` trains linear ones, `arcface`,
    `cosface` and `circle_id` their own, each for every feature of `features`.
    """

    kind: Literal["bnneck", "linear", "none"] = "bnneck"
    """`linear`: classifiers read the features as they are, without a neck."""
    features: Features = ("final", "projected")
    """What is classified."""
    necks: Literal["shared", "domain"] = "shared"
    """`domain`: each data set has batch norms of its own; retrieval is then before the neck."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout before the classifiers."""
    mlp: MlpConfig | None = None
    reduction: ReductionConfig | None = None
    parts: PartsConfig | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all image features: the tower's three and those made here."""
        parts = [part for _, part in self if isinstance(part, HeadPartConfig)]
        return (*TOWER_FEATURES, *(name for part in parts for name in part.names))


class InteractionConfig(Strict):
    """Sentence and image patches together (PromptSG); gives the features `fused` and `text`."""

    mode: Literal["value", "weight", "single", "none"] = "none"
    """`value` and `weight` are the re-weighted sequence, with or without value projections;
    `single` is one attended token; `none` leaves the interaction out (the sentence still learns
    by contrast)."""
    blocks: int = Field(default=2, ge=0)
    """Transformer blocks after the cross-attention."""
    heads: PositiveInt | None = None
    """None for one head per 64 channels."""
    residual: bool = False
    """Add the sentence to the attended token; of `single` only."""
    inference: Literal["composed", "simplified"] = "composed"
    """Retrieve with each image's own sentence, or with the one without a word."""
    training: Literal["composed", "simplified"] = "composed"


class EmbeddingConfig(Strict):
    """Features that make the retrieval vector; they are joined, then L2-normalised together."""

    features: Features = ("final", "projected")
    neck: Literal["before", "after"] = "before"
