"""The images that a threshold may be chosen on when a run has been trained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from promptreid.data.manifest.manifest import Manifest, TrainingManifest
from promptreid.data.manifest.sample_columns import TRAINING_SPLITS
from promptreid.data.splits.draws import generator, pick
from promptreid.data.splits.unseen import check_unseen
from promptreid.data.splits.validation import Validation, kind_for
from promptreid.errors import DataError, EvaluationError
from promptreid.training.run.run_inputs import RunInputs, validation_kind

Rows = TypeVar("Rows", bound=Manifest)

_IMAGES = 2000  # of a data set that was not learned from: two million pairs

NEW = "images of identities held out of training"
CROSSED = "training images, each half scored by a training on the other half of the identities"
SEEN = "held-out images of identities seen in training"
UNTRAINED = "training images, of which nothing was learned"
DOUBT = "; the weights that the run started from may have learned from them"


@dataclass(frozen=True)
class ThresholdSample:
    """Images of one data set that a threshold may be chosen on.

    Attributes:
        manifest: The images; never a test image, by type.
        same_camera: Rule for pairs of one identity; see `choose_threshold`.
        source: What they are, in words.
        people: What the model knows of their identities; see `Threshold`.
    """

    manifest: TrainingManifest
    same_camera: str
    source: str
    people: str = "unseen"


def threshold_samples(inputs: RunInputs) -> tuple[ThresholdSample, ...]:
    """Find the images that a threshold may be chosen on, by data set.

    Where the embedding was trained these are the validation images alone: of held-out images of
    training identities only pairs among themselves, since the images they are validated against
    were learned from. Where it was not, and the weights come from no other run, training images do
    as well: up to 2000 of each data set, drawn by the run's seed.

    Raises:
        EvaluationError: There are none; the sentence says why.
    """
    recipe = inputs.plan.recipe
    learned = any(stage.moves_embedding for stage in recipe.stages)
    begun = recipe.start.checkpoint is not None
    if not learned and not begun:
        return _draw_training_images(inputs)
    validations = inputs.data.validations if inputs.data is not None else ()
    samples = tuple(_take_held_out(validation) for validation in validations)
    if samples and begun:
        samples = tuple(replace(sample, source=sample.source + DOUBT) for sample in samples)
    if not samples and not learned:
        raise EvaluationError(
            "The run learned nothing itself, and the weights that it started from may have learned "
            "from its training images."
        )
    if not samples:
        raise EvaluationError(
            "There are no validation images. validation.kind=images spares an image of each "
            "identity for it, validation.kind=identities some identities, and "
            "validation.kind=folds trains twice more, on half of the identities each."
        )
    return samples


def needs_cross_fit(inputs: RunInputs) -> bool:
    """Say whether a threshold takes two further trainings, each on half of the identities.

    That is so where the embedding learns from all identities and `validation.kind` is `folds`, be
    it by name or as what `auto` makes of small data.
    """
    recipe, data = inputs.plan.recipe, inputs.data
    if data is None or data.validations:
        return False
    if not any(stage.moves_embedding for stage in recipe.stages):
        return False
    kind = validation_kind(recipe)
    return any(kind_for(dataset, kind) == "folds" for dataset in inputs.datasets)


def identity_names(rows: Manifest) -> list[str]:
    """Name the identity of each row, with its domain."""
    return [f"{domain}/{identity}" for domain, identity in rows.identity_keys()]


def draw_images(rows: Rows, most: int, *, seed: int, purpose: str) -> Rows:
    """Draw some of many images, the same for the same seed and purpose; all where they are few."""
    ordered = sorted(range(len(rows)), key=rows.image_keys().__getitem__)
    return rows.select(sorted(pick(ordered, most, generator(seed, rows.name, purpose))))


def _draw_training_images(inputs: RunInputs) -> tuple[ThresholdSample, ...]:
    try:
        check_unseen(inputs.datasets, inputs.tests)
    except DataError as error:
        raise EvaluationError(f"Its images would be among those tested on. {error}") from error
    samples = []
    for dataset in inputs.datasets:
        if not dataset.manifest.indices(*TRAINING_SPLITS).size:
            continue
        rows = draw_images(
            dataset.manifest.training(), _IMAGES, seed=inputs.plan.seed, purpose="threshold images"
        )
        samples.append(ThresholdSample(rows, "auto", UNTRAINED))
    if not samples:
        raise EvaluationError("There are no training images, and test images must not choose it.")
    return tuple(samples)


def _take_held_out(validation: Validation) -> ThresholdSample:
    """Take the held-out rows; with validation images the rest are what was learned from."""
    rows = validation.manifest
    held = rows.select(rows.indices("val"))
    known = {rows.identity_keys()[row] for row in rows.indices("train")}
    seen = not known.isdisjoint(held.identity_keys())
    source, people = (SEEN, "seen") if seen else (NEW, "unseen")
    return ThresholdSample(held, validation.protocol.same_camera, source, people)
