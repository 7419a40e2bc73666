"""Loss terms of a recipe: names, weights and options, without the code that computes them."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class LossTerm(BaseModel):
    """A weight and the options of one term; `needs` names the model parts it reads."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    needs: ClassVar[tuple[str, ...]] = ()
    weight: float = Field(default=1.0, ge=0)


class SupConTerm(LossTerm):
    """Cross-modal supervised contrast of image features and prompt features."""

    needs: ClassVar[tuple[str, ...]] = ("prompt",)
    temperature: float = Field(default=1.0, gt=0)
    normalize: bool = False


class IdTerm(LossTerm):
    """Cross-entropy of each classifier of the head, summed over the classifiers."""

    needs: ClassVar[tuple[str, ...]] = ("head",)
    smoothing: float = Field(default=0.1, ge=0, lt=1)


class TripletTerm(LossTerm):
    """Batch-hard triplet of each named image feature, summed over the features."""

    margin: float | None = Field(default=0.3, gt=0)
    """None for the soft margin."""
    features: tuple[str, ...] = ("penultimate", "final", "projected")


class ImageToTextTerm(LossTerm):
    """Cross-entropy of an image against the text features of all identities."""

    needs: ClassVar[tuple[str, ...]] = ("prompt",)
    smoothing: float = Field(default=0.1, ge=0, lt=1)


def _weight_alone(value: Any) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return {"weight": value} if number else value


_Shorthand = BeforeValidator(_weight_alone)


class LossTerms(BaseModel):
    """Terms by name; a bare number is the weight, zero switches a term off."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    supcon_i2t: Annotated[SupConTerm | None, _Shorthand] = None
    supcon_t2i: Annotated[SupConTerm | None, _Shorthand] = None
    id: Annotated[IdTerm | None, _Shorthand] = None
    triplet: Annotated[TripletTerm | None, _Shorthand] = None
    i2t: Annotated[ImageToTextTerm | None, _Shorthand] = None

    @model_validator(mode="after")
    def _something_to_learn_from(self) -> LossTerms:
        if not self.active():
            raise ValueError("at least one loss needs a weight above zero")
        return self

    def active(self) -> dict[str, LossTerm]:
        """Return the terms with a weight above zero, by name."""
        given = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: term for name, term in given if term is not None and term.weight > 0}
