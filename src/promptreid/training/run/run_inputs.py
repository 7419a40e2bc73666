"""What a run reads: its plan, its data sets, the rows that it learns from, and its first model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from promptreid.config.schema import Recipe
from promptreid.data.dataset import DataSet
from promptreid.data.images.preprocess import Preprocess
from promptreid.data.images.readable import load_readable
from promptreid.data.splits.unseen import check_unseen
from promptreid.data.splits.validation import Kind
from promptreid.models.prompts.sentences import template_fields
from promptreid.models.reid import ReIDModel
from promptreid.progress import Progress
from promptreid.training.batches.stage_batches import stage_sampler
from promptreid.training.run.build_model import build_model
from promptreid.training.run.run_plan import RunPlan
from promptreid.training.run.training_data import TrainingData, training_data
from promptreid.training.run.warm_start import start_from


@dataclass(frozen=True)
class RunInputs:
    """A plan with its data.

    Attributes:
        plan: What is run.
        datasets: Data sets that are learned from, or would be.
        tests: Data sets that are only scored.
        data: Rows that are learned from; None where nothing is.
    """

    plan: RunPlan
    datasets: Sequence[DataSet]
    tests: Sequence[DataSet]
    data: TrainingData | None

    @classmethod
    def read(cls, plan: RunPlan, *, progress: Progress) -> RunInputs:
        """Load the data sets of a plan and gather the rows to learn from.

        Raises:
            DataError: Data cannot be read, there is too little to learn from, or test images are
                among what is learned from.
        """
        datasets, tests = (
            [load_readable(spec, policy=plan.unreadable, progress=progress) for spec in specs]
            for specs in (plan.specs, plan.test)
        )
        data = training_rows(plan.recipe, datasets, seed=plan.seed)
        check_unseen(datasets if data is not None else (), tests)
        return cls(plan, datasets, tests, data)

    @property
    def all_datasets(self) -> list[DataSet]:
        """All data sets of the run, learned from or not."""
        return [*self.datasets, *self.tests]

    def start_model(self, *, progress: Progress) -> tuple[ReIDModel, Preprocess]:
        """Build the model that the run begins with; see `started_model`."""
        plan = self.plan
        return started_model(plan.recipe, self.data, seed=plan.seed, progress=progress)


def training_rows(recipe: Recipe, datasets: Sequence[DataSet], *, seed: int) -> TrainingData | None:
    """Gather the training rows and the validation that a recipe asks for; None without stages.

    Raises:
        DataError: There is too little to train or validate on, a stage's batches cannot be made, or
            an attribute is missing.
    """
    if not recipe.stages:
        return None
    data = training_data(
        datasets,
        validation=validation_kind(recipe),
        fraction=recipe.validation.fraction,
        seed=seed,
        fields=prompt_fields(recipe),
        per_image=recipe.prompt.per_image,
        side_attribute=recipe.sie.attribute,
    )
    for stage in recipe.stages:  # a stage that cannot run must not wait for the one before
        stage_sampler(stage, data, seed)
    return data


def validation_kind(recipe: Recipe) -> Kind:
    """Return the kind of validation; `auto` is none where no stage moves the embedding.

    Then there is nothing to choose by validation, and the threshold may be chosen on training
    images.
    """
    kind = recipe.validation.kind
    learned = any(stage.moves_embedding for stage in recipe.stages)
    return kind if learned or kind != "auto" else "none"


def prompt_fields(recipe: Recipe) -> tuple[str, ...]:
    """Return the attributes that the recipe's prompts name."""
    if recipe.prompt.kind == "none":
        return ()
    return template_fields([*recipe.prompt.template, recipe.prompt.init or ""])


def started_model(
    recipe: Recipe, data: TrainingData | None, *, seed: int, progress: Progress
) -> tuple[ReIDModel, Preprocess]:
    """Build the model of a recipe, with the weights of the run that it starts from.

    The seed is that of the fresh parts; `progress` hears what was taken from the earlier run.

    Raises:
        PromptReIDError: The model cannot be built, or the earlier run does not fit it; see
            `build_model` and `start_from`.
    """
    with progress.doing(f"building {recipe.backbone.name}"):
        model, preprocess = build_model(recipe, data, seed=seed)
    classes = data.classes if data is not None else ()
    start_from(model, recipe.start, classes, progress=progress)
    return model, preprocess
