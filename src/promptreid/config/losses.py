"""Loss terms of a recipe: names, weights and options, without the code that computes them."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from promptreid.config.base import Strict
from promptreid.config.reading.numbers import number_of

Features = Annotated[tuple[str, ...], Field(min_length=1)]
Smoothing = Annotated[float, Field(ge=0, lt=1)]


class LossTerm(Strict):
    """A weight and the options of one term.

    `needs` names the model parts it reads, `classifier` the kind of classifier it trains in the
    head, and `features`, where a term has it, the image features it is summed over.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    classifier: ClassVar[str | None] = None
    weight: float = Field(default=1.0, ge=0)
    ramp: int = Field(default=0, ge=0)
    """Epochs in which the weight rises from zero to its value, a step an epoch; 0 for at once."""

    def weight_at(self, epoch: int) -> float:
        """Return the weight in an epoch, counted from 1: `weight * min(1, epoch / ramp)`."""
        return self.weight * min(1.0, epoch / self.ramp) if self.ramp else self.weight

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the image features this term reads beside the joint-space one."""
        return getattr(self, "features", ())


# --- images against texts


class SupConTextTerm(LossTerm):
    """Cross-modal supervised contrast of image features and prompt features."""

    needs: ClassVar[tuple[str, ...]] = ("prompt",)
    temperature: PositiveFloat = 1.0
    normalize: bool = False


class ClipTerm(LossTerm):
    """Symmetric contrast where each image has one text; images of one identity are negatives."""

    needs: ClassVar[tuple[str, ...]] = ("prompt",)
    temperature: PositiveFloat = 0.07


class ImageToTextTerm(LossTerm):
    """Cross-entropy of an image against the text features of all identities."""

    needs: ClassVar[tuple[str, ...]] = ("prompt",)
    smoothing: Smoothing = 0.1
    temperature: PositiveFloat = 1.0
    normalize: bool = False
    """Cosines instead of raw dot products; give a temperature near 0.07 with it."""


class PromptPenaltyTerm(LossTerm):
    """Mean square of the learned prompt tokens."""

    needs: ClassVar[tuple[str, ...]] = ("prompt",)


class PromptOrthogonalTerm(LossTerm):
    """Squared cosines of shared and domain tokens: what is shared is not said again."""

    needs: ClassVar[tuple[str, ...]] = ("prompt",)


# --- classifiers of the head


class IdTerm(LossTerm):
    """Cross-entropy of each linear classifier of the head, summed over the classifiers."""

    needs: ClassVar[tuple[str, ...]] = ("head",)
    classifier: ClassVar[str | None] = "linear"
    smoothing: Smoothing = 0.1


class MarginTerm(LossTerm):
    """Options that the classifiers by angle share."""

    needs: ClassVar[tuple[str, ...]] = ("head",)
    margin: float = Field(default=0.5, ge=0)
    scale: PositiveFloat = 30.0
    smoothing: Smoothing = 0.0


class ArcFaceTerm(MarginTerm):
    """Additive angular margin, in radians (Deng et al., CVPR 2019)."""

    classifier: ClassVar[str | None] = "arcface"
    margin: float = Field(default=0.5, ge=0, lt=1.5708)


class CosFaceTerm(MarginTerm):
    """Additive cosine margin (Wang et al., CVPR 2018)."""

    classifier: ClassVar[str | None] = "cosface"
    margin: float = Field(default=0.35, ge=0)


class CircleIdTerm(MarginTerm):
    """Circle loss of the classifier's cosines (Sun et al., CVPR 2020)."""

    classifier: ClassVar[str | None] = "circle"
    margin: float = Field(default=0.25, ge=0)
    scale: PositiveFloat = 128.0


# --- images against images


class TripletTerm(LossTerm):
    """Triplet loss of each named image feature, summed over the features."""

    margin: float | None = Field(default=0.3, gt=0)
    """None for the soft margin."""
    mining: Literal["hard", "semihard", "all"] = "hard"
    distance: Literal["euclidean", "cosine"] = "euclidean"
    features: Features = ("penultimate", "final", "projected")


class CirclePairsTerm(LossTerm):
    """Circle loss over all pairs of the batch (Sun et al., CVPR 2020)."""

    margin: float = Field(default=0.25, ge=0, le=1)
    scale: PositiveFloat = 128.0
    features: Features = ("projected",)


class SupConTerm(LossTerm):
    """Supervised contrast among images, each left out of its own sums (Khosla et al., 2020)."""

    temperature: PositiveFloat = 0.1
    features: Features = ("projected",)


class PairTerm(LossTerm):
    """Siamese contrastive loss: pull pairs of an identity together, push others to a margin."""

    margin: PositiveFloat = 1.0
    distance: Literal["euclidean", "cosine"] = "euclidean"
    features: Features = ("projected",)


class CenterTerm(LossTerm):
    """Center loss with learned centers (Wen et al., ECCV 2016)."""

    weight: float = Field(default=5e-4, ge=0)
    lr: PositiveFloat = 0.5
    """Of the centers' own gradient descent; their gradient does not feel the weight."""
    features: Features = ("final",)


class CompactTerm(LossTerm):
    """Identity centers of the batch: features close to their own, centers apart by a margin."""

    margin: float = Field(default=0.3, ge=0)
    """Smallest distance of two centers of unit features; 0 for pulling only."""
    features: Features = ("projected",)


class MemoryTerm(LossTerm):
    """Cross-batch memory: against features of earlier batches (Wang et al., CVPR 2020)."""

    kind: Literal["supcon", "triplet", "pair"] = "supcon"
    size: PositiveInt = 4096
    """Features kept; the oldest leave first."""
    start_epoch: PositiveInt = 2
    """The memory fills from the epoch before, when features have stopped moving fast."""
    temperature: PositiveFloat = 0.1
    margin: PositiveFloat = 0.3
    features: Annotated[tuple[str, ...], Field(min_length=1, max_length=1)] = ("projected",)


class MoCoTerm(LossTerm):
    """Momentum contrast of two views of each image (He et al., CVPR 2020)."""

    temperature: PositiveFloat = 0.2
    momentum: float = Field(default=0.999, ge=0, lt=1)
    size: int = Field(default=4096, ge=0)
    """Keys of earlier batches kept as negatives."""
    features: Annotated[tuple[str, ...], Field(min_length=1, max_length=1)] = ("mlp",)


def _weight_alone(value: Any) -> Any:
    return value if number_of(value) is None else {"weight": value}


_Shorthand = BeforeValidator(_weight_alone)


class LossTerms(Strict):
    """Terms by name; a bare number is the weight, zero switches a term off."""

    supcon_i2t: Annotated[SupConTextTerm | None, _Shorthand] = None
    supcon_t2i: Annotated[SupConTextTerm | None, _Shorthand] = None
    clip: Annotated[ClipTerm | None, _Shorthand] = None
    id: Annotated[IdTerm | None, _Shorthand] = None
    arcface: Annotated[ArcFaceTerm | None, _Shorthand] = None
    cosface: Annotated[CosFaceTerm | None, _Shorthand] = None
    circle_id: Annotated[CircleIdTerm | None, _Shorthand] = None
    triplet: Annotated[TripletTerm | None, _Shorthand] = None
    circle: Annotated[CirclePairsTerm | None, _Shorthand] = None
    supcon: Annotated[SupConTerm | None, _Shorthand] = None
    pair: Annotated[PairTerm | None, _Shorthand] = None
    center: Annotated[CenterTerm | None, _Shorthand] = None
    compact: Annotated[CompactTerm | None, _Shorthand] = None
    memory: Annotated[MemoryTerm | None, _Shorthand] = None
    moco: Annotated[MoCoTerm | None, _Shorthand] = None
    i2t: Annotated[ImageToTextTerm | None, _Shorthand] = None
    prompt_orthogonal: Annotated[PromptOrthogonalTerm | None, _Shorthand] = None
    prompt_l2: Annotated[PromptPenaltyTerm | None, _Shorthand] = None

    @model_validator(mode="after")
    def _something_to_learn_from(self) -> LossTerms:
        if not self.active():
            raise ValueError("at least one loss needs a weight above zero")
        return self

    def active(self) -> dict[str, LossTerm]:
        """Return the terms with a weight above zero, by name."""
        given = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: term for name, term in given if term is not None and term.weight > 0}
