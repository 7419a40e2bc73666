"""How a recipe is scored: while it learns, by sentences alone, and at the end."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from promptreid.config.base import Strict, Templates


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
    metric: str = "mAP"
    """What chooses the best checkpoint, and what `patience` waits for: a metric that validation
    computes, `mAP`, `mINP`, `rank1`, `rank5` or `rank10`."""
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
