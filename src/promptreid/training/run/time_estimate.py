"""All that a run has still to do, for an estimate of when it ends."""

from __future__ import annotations

from promptreid.config.stage import StageConfig
from promptreid.data.dataset import DataSet
from promptreid.evaluation.test_set import TestSet
from promptreid.progress.whole_work import EMBEDDING, Work
from promptreid.training.batches.stage_batches import stage_sampler
from promptreid.training.run.run_inputs import RunInputs
from promptreid.training.run.training_data import TrainingData
from promptreid.training.stage.training_state import TrainingState

# How long an image takes beside one that is only embedded, until it was measured.
_LEARNED, _CACHED = 3.0, 0.3


def planned_work(inputs: RunInputs, state: TrainingState, *, halves: bool) -> list[Work]:
    """List what is left: stages, validations, halves of a cross-fit if one follows, embedding."""
    plan, data = inputs.plan, inputs.data
    recipe, seed = plan.recipe, plan.seed
    embedded = sum(map(_count_tested, inputs.all_datasets)) * (1 + plan.before)
    if data is None:
        return [Work(EMBEDDING, embedded)]
    stages = list(enumerate(recipe.stages))[state.stage :]
    validated = sum(len(validation.manifest) for validation in data.validations)
    works, half_works = [], []
    for index, stage in stages:
        done = state.epoch - 1 if index == state.stage else 0
        images, cost = _images_per_epoch(stage, data, seed), _relative_cost(stage)
        works.append(Work(stage.name, images * (stage.epochs - done), cost))
        if stage.moves_embedding:
            embedded += validated * (1 + (stage.epochs - done) // recipe.validation.every)
    if halves:
        embedded += 3 * len(data)
        for stage in recipe.stages:
            units = _images_per_epoch(stage, data, seed) * stage.epochs
            half_works.append(Work(f"half: {stage.name}", units, _relative_cost(stage), stage.name))
    if any(stage.images == "cached" for _, stage in stages):
        works.insert(0, Work("image features", len(data)))
    if halves and any(stage.images == "cached" for stage in recipe.stages):
        half_works.insert(0, Work("half: image features", len(data), kind="image features"))
    return [Work(EMBEDDING, embedded), *works, *half_works]


def _images_per_epoch(stage: StageConfig, data: TrainingData, seed: int) -> float:
    images = sum(len(batch) for batch in stage_sampler(stage, data, seed).batches(1))
    return images if stage.hardest is None else images * stage.hardest


def _relative_cost(stage: StageConfig) -> float:
    return _CACHED if stage.images == "cached" else _LEARNED * stage.views


def _count_tested(dataset: DataSet) -> int:
    return 0 if dataset.protocol is None else len(TestSet.of(dataset))
