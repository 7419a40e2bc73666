"""Loss terms of a recipe: names, weights and options, without the code that computes them."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from promptreid.config.base import Strict
from promptreid.config.reading.numbers import read_number

Features = Annotated[tuple[str, ...], Field(min_length=1)]
Smoothing = Annotated[float, Field(ge=0, lt=1)]


class LossOptions(Strict):
    """A weight and the options of one loss term, with the facts that recipe and trainer ask for.

    The facts are class attributes. What computes the term stands in `promptreid.losses.terms`.

    Attributes:
        needs: Parts of the model that the term reads: "prompt" for texts, "head" for classifiers.
        classifier: Kind of classifier that it trains in the head; empty for none.
        needs_identities: It has a text, a classifier row or a center for each identity, so images
            of unknown identity cannot teach it.
        needs_identity_prompts: It reads a prompt of each identity, not of each image.
        spans_identities: It compares images with more than their batch, so it cannot be taken
            within the domains of a batch.
        compares_views: It compares two augmented views of each image.
        counts_pairs: Every text of an image's identity in the batch is a positive of the image; how
            many there are is noted for each epoch.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    classifier: ClassVar[str] = ""
    needs_identities: ClassVar[bool] = False
    needs_identity_prompts: ClassVar[bool] = False
    spans_identities: ClassVar[bool] = False
    compares_views: ClassVar[bool] = False
    counts_pairs: ClassVar[bool] = False

    weight: float = Field(default=1.0, ge=0)
    ramp: int = Field(default=0, ge=0)
    """Epochs in which the weight rises from zero to its value, a step an epoch; 0 for at once."""

    @model_validator(mode="before")
    @classmethod
    def _read_weight(cls, value: Any) -> Any:
        """Read a bare number as the weight."""
        return value if read_number(value) is None else {"weight": value}

    def weight_at(self, epoch: int) -> float:
        """Return the weight in an epoch, counted from 1: `weight * min(1, epoch / ramp)`."""
        return self.weight * min(1.0, epoch / self.ramp) if self.ramp else self.weight

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the image features that the term is summed over; none where it has no choice."""
        return getattr(self, "features", ())


# --- images against texts


class TextOptions(LossOptions):
    """Options of a term that reads the texts of prompts."""

    needs: ClassVar[tuple[str, ...]] = ("prompt",)
    needs_identities: ClassVar[bool] = True


class SupConTextOptions(TextOptions):
    """Cross-modal supervised contrast of image features and prompt features."""

    counts_pairs: ClassVar[bool] = True
    temperature: PositiveFloat = 1.0
    normalize: bool = False


class ClipOptions(TextOptions):
    """Symmetric contrast where each image has one text; images of one identity are negatives."""

    temperature: PositiveFloat = 0.07


class ImageToTextOptions(TextOptions):
    """Cross-entropy of an image against the text features of all identities."""

    needs_identity_prompts: ClassVar[bool] = True
    smoothing: Smoothing = 0.1
    temperature: PositiveFloat = 1.0
    normalize: bool = False
    """Cosines instead of raw dot products; give a temperature near 0.07 with it."""


class PromptPenaltyOptions(TextOptions):
    """Mean square of the learned prompt tokens."""

    needs_identity_prompts: ClassVar[bool] = True


class PromptOrthogonalOptions(TextOptions):
    """Squared cosines of shared and domain tokens: what is shared is not said again."""

    needs_identity_prompts: ClassVar[bool] = True


# --- classifiers of the head


class ClassifierOptions(LossOptions):
    """Options of a term that trains the head's classifiers of one kind."""

    needs: ClassVar[tuple[str, ...]] = ("head",)
    needs_identities: ClassVar[bool] = True


class IdOptions(ClassifierOptions):
    """Cross-entropy of each linear classifier of the head, summed over the classifiers."""

    classifier: ClassVar[str] = "linear"
    smoothing: Smoothing = 0.1


class MarginOptions(ClassifierOptions):
    """Options that the classifiers by angle share."""

    margin: float = Field(default=0.5, ge=0)
    scale: PositiveFloat = 30.0
    smoothing: Smoothing = 0.0


class ArcFaceOptions(MarginOptions):
    """Additive angular margin, in radians (Deng et al., CVPR 2019)."""

    classifier: ClassVar[str] = "arcface"
    margin: float = Field(default=0.5, ge=0, lt=1.5708)


class CosFaceOptions(MarginOptions):
    """Additive cosine margin (Wang et al., CVPR 2018)."""

    classifier: ClassVar[str] = "cosface"
    margin: float = Field(default=0.35, ge=0)


class CircleIdOptions(MarginOptions):
    """Circle loss of the classifier's cosines (Sun et al., CVPR 2020)."""

    classifier: ClassVar[str] = "circle"
    margin: float = Field(default=0.25, ge=0)
    scale: PositiveFloat = 128.0


# --- images against images


class TripletOptions(LossOptions):
    """Triplet loss of each named image feature, summed over the features."""

    margin: float | None = Field(default=0.3, gt=0)
    """None for the soft margin."""
    mining: Literal["hard", "semihard", "all"] = "hard"
    distance: Literal["euclidean", "cosine"] = "euclidean"
    features: Features = ("penultimate", "final", "projected")


class CirclePairsOptions(LossOptions):
    """Circle loss over all pairs of the batch (Sun et al., CVPR 2020)."""

    margin: float = Field(default=0.25, ge=0, le=1)
    scale: PositiveFloat = 128.0
    features: Features = ("projected",)


class SupConOptions(LossOptions):
    """Supervised contrast among images, each left out of its own sums (Khosla et al., 2020)."""

    temperature: PositiveFloat = 0.1
    features: Features = ("projected",)


class PairOptions(LossOptions):
    """Siamese contrastive loss: pull pairs of an identity together, push others to a margin."""

    margin: PositiveFloat = 1.0
    distance: Literal["euclidean", "cosine"] = "euclidean"
    features: Features = ("projected",)


class CenterOptions(LossOptions):
    """Center loss with learned centers (Wen et al., ECCV 2016)."""

    needs_identities: ClassVar[bool] = True
    spans_identities: ClassVar[bool] = True
    weight: float = Field(default=5e-4, ge=0)
    lr: PositiveFloat = 0.5
    """Rate at which the centers follow their identities; the term's weight plays no part in it."""
    features: Features = ("final",)


class CompactOptions(LossOptions):
    """Identity centers of the batch: features close to their own, centers apart by a margin."""

    margin: float = Field(default=0.3, ge=0)
    """Smallest distance of two centers of unit features; 0 for pulling only."""
    features: Features = ("projected",)


class MemoryOptions(LossOptions):
    """Cross-batch memory: against features of earlier batches (Wang et al., CVPR 2020)."""

    spans_identities: ClassVar[bool] = True
    kind: Literal["supcon", "triplet", "pair"] = "supcon"
    size: PositiveInt = 4096
    """Features kept; the oldest leave first."""
    start_epoch: PositiveInt = 2
    """The memory fills from the epoch before, when features have stopped moving fast."""
    temperature: PositiveFloat = 0.1
    margin: PositiveFloat = 0.3
    features: Annotated[tuple[str, ...], Field(min_length=1, max_length=1)] = ("projected",)


class MoCoOptions(LossOptions):
    """Momentum contrast of two views of each image (He et al., CVPR 2020)."""

    spans_identities: ClassVar[bool] = True
    compares_views: ClassVar[bool] = True
    temperature: PositiveFloat = 0.2
    momentum: float = Field(default=0.999, ge=0, lt=1)
    size: int = Field(default=4096, ge=0)
    """Keys of earlier batches kept as negatives."""
    features: Annotated[tuple[str, ...], Field(min_length=1, max_length=1)] = ("mlp",)


class LossTerms(Strict):
    """Terms by name; a bare number is the weight, zero switches a term off."""

    supcon_i2t: SupConTextOptions | None = None
    supcon_t2i: SupConTextOptions | None = None
    clip: ClipOptions | None = None
    id: IdOptions | None = None
    arcface: ArcFaceOptions | None = None
    cosface: CosFaceOptions | None = None
    circle_id: CircleIdOptions | None = None
    triplet: TripletOptions | None = None
    circle: CirclePairsOptions | None = None
    supcon: SupConOptions | None = None
    pair: PairOptions | None = None
    center: CenterOptions | None = None
    compact: CompactOptions | None = None
    memory: MemoryOptions | None = None
    moco: MoCoOptions | None = None
    i2t: ImageToTextOptions | None = None
    prompt_orthogonal: PromptOrthogonalOptions | None = None
    prompt_l2: PromptPenaltyOptions | None = None

    @model_validator(mode="after")
    def _something_to_learn_from(self) -> LossTerms:
        if not self.active():
            raise ValueError("at least one loss needs a weight above zero")
        return self

    def active(self) -> dict[str, LossOptions]:
        """Return the terms with a weight above zero, by name."""
        return {name: term for name, term in self if term is not None and term.weight > 0}
