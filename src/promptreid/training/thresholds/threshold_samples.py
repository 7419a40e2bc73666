"""The images that a threshold may be chosen on when a run has been trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from promptreid.config.schema import Recipe
from promptreid.data.dataset import DataSet
from promptreid.data.manifest.manifest import TrainingManifest
from promptreid.data.manifest.sample_columns import TRAINING_SPLITS
from promptreid.data.splits.draws import generator, pick
from promptreid.data.splits.unseen import check_unseen
from promptreid.data.splits.validation import Validation, kind_for
from promptreid.errors import DataError, EvaluationError
from promptreid.training.run.run_plan import RunPlan
from promptreid.training.run.training_data import TrainingData
from promptreid.training.run.training_rows import validation_kind

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
        same_camera: Rule for pairs of one identity, as in `choose_threshold`.
        source: What they are, in words.
        people: What the model knows of their identities, as in `Threshold`.
    """

    manifest: TrainingManifest
    same_camera: str
    source: str
    people: str = "unseen"


def threshold_samples(
    plan: RunPlan,
    data: TrainingData | None,
    datasets: Sequence[DataSet],
    tests: Sequence[DataSet],
) -> tuple[ThresholdSample, ...]:
    """Find the images that a threshold may be chosen on, by data set.

    Where the embedding was trained these are the validation images alone: of held-out images of
    training identities only pairs among themselves, since the images they are validated against
    were learned from. Where it was not, and the weights come from no other run, training images do
    as well: up to 2000 of each data set, drawn by the run's seed.

    Args:
        plan: What was run.
        data: What was learned from; None where nothing was.
        datasets: Those that were trained on, or would have been.
        tests: Those that are only scored.

    Raises:
        EvaluationError: There are none; the sentence says why.
    """
    recipe = plan.recipe
    learned = any(stage.moves_embedding for stage in recipe.stages)
    begun = recipe.start.checkpoint is not None
    if not learned and not begun:
        return _untrained(datasets, tests, plan.seed)
    held = data.validations if data is not None else ()
    samples = tuple(_held_out(validation) for validation in held)
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


def needs_cross_fit(recipe: Recipe, data: TrainingData | None, datasets: Sequence[DataSet]) -> bool:
    """Say whether a threshold takes two further trainings, each on half of the identities.

    That is so where the embedding learns from all identities and `validation.kind` is `folds`, be
    it by name or as what `auto` makes of small data.

    Args:
        recipe: What is run.
        data: What is learned from; None where nothing is.
        datasets: Those that are trained on.
    """
    if data is None or data.validations:
        return False
    if not any(stage.moves_embedding for stage in recipe.stages):
        return False
    kind = validation_kind(recipe)
    return any(kind_for(dataset, kind) == "folds" for dataset in datasets)


def _untrained(
    datasets: Sequence[DataSet], tests: Sequence[DataSet], seed: int
) -> tuple[ThresholdSample, ...]:
    try:
        check_unseen(datasets, tests)
    except DataError as error:
        raise EvaluationError(f"Its images would be among those tested on. {error}") from error
    samples = []
    for dataset in datasets:
        if not dataset.manifest.indices(*TRAINING_SPLITS).size:
            continue
        rows = dataset.manifest.training()
        ordered = sorted(range(len(rows)), key=rows.image_keys().__getitem__)
        drawn = pick(ordered, _IMAGES, generator(seed, rows.name, "threshold images"))
        samples.append(ThresholdSample(rows.select(sorted(drawn)), "auto", UNTRAINED))
    if not samples:
        raise EvaluationError("There are no training images, and test images must not choose it.")
    return tuple(samples)


def _held_out(validation: Validation) -> ThresholdSample:
    """Take the held-out rows; with validation images the rest are what was learned from."""
    rows = validation.manifest
    held = rows.select(rows.indices("val"))
    known = {rows.identity_keys()[row] for row in rows.indices("train")}
    seen = not known.isdisjoint(held.identity_keys())
    source, people = (SEEN, "seen") if seen else (NEW, "unseen")
    return ThresholdSample(held, validation.protocol.same_camera, source, people)
