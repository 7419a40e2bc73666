"""Take a few steps of each stage of a run, to say how long the run will take before it begins."""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from promptreid.config.schema import Recipe
from promptreid.data.dataset import DataSet
from promptreid.data.manifest.manifest import Manifest
from promptreid.data.splits.draws import rows_by_identity
from promptreid.inference.embed import embed_manifest
from promptreid.inference.embedder import Embedder
from promptreid.json_record import JsonRecord
from promptreid.models.towers.product_choice import multiply_by
from promptreid.progress import Progress
from promptreid.progress.reporting import Silent
from promptreid.progress.whole_work import task_name
from promptreid.text.durations import duration
from promptreid.text.lists import counted
from promptreid.text.wrap import wrapped
from promptreid.tracking.tracker_group import Trackers
from promptreid.training.run.run_inputs import RunInputs, training_rows
from promptreid.training.run.run_plan import TrainRequest, make_plan
from promptreid.training.run.run_start import checkpoint_info, create_run
from promptreid.training.run.time_estimate import planned_work
from promptreid.training.run.untrained import build_untrained
from promptreid.training.stage.trainer import Trainer
from promptreid.training.stage.training_state import TrainingState
from promptreid.training.thresholds.cross_fit import fit_batches
from promptreid.training.thresholds.threshold_samples import needs_cross_fit

_BATCHES, _EPOCHS, _EMBEDDED = 4, 2, 256


@dataclass(frozen=True)
class TrainingTime(JsonRecord):
    """How long a run will take, by what it does.

    Attributes:
        parts: Seconds of each part: stages by their names, `embedding` for validation and scores,
            and `half: ...` for the further trainings that a threshold takes.
        images: Number of images that were trained on to measure it.
        device: Where it was measured, such as "cpu" or "cuda".
    """

    parts: dict[str, float]
    images: int
    device: str

    @property
    def seconds(self) -> float:
        """All parts together."""
        return sum(self.parts.values())

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {duration(one)}" for name, one in self.parts.items())
        return wrapped(
            f"about {duration(self.seconds)} on {self.device}: {parts}\n"
            f"measured on {counted(self.images, 'image')}, two short epochs of each stage"
        )


def measure_training(request: TrainRequest, *, progress: Progress) -> TrainingTime:
    """Train two short epochs of each stage on a few identities, and reckon from their second.

    Nothing stays on the disk. All images of the data are checked, as the run itself does it, so
    that what would stop the run is said here.

    Args:
        request: What the run will be asked for; it is measured from its start, in one process.
        progress: Where to report.

    Raises:
        PromptReIDError: As `promptreid.training.run.train.train`.
    """
    with tempfile.TemporaryDirectory(prefix="promptreid-") as folder:
        out = Path(folder) / "run"
        plan, _ = make_plan(replace(request, out=out, resume=False, overwrite=False))
        inputs = RunInputs.read(plan, progress=progress)
        works = planned_work(inputs, TrainingState(), halves=needs_cross_fit(inputs))
        stopwatch = _Stopwatch()
        with progress.doing("measuring a few steps of each stage"), multiply_by(plan.products):
            images = _take_steps(inputs, stopwatch)
    each = stopwatch.seconds_per_unit
    parts = {work.name: work.units * each[work.kind or work.name] for work in works}
    return TrainingTime(parts, images, plan.device.type)


class _Stopwatch(Silent):
    """Measures counted tasks: seconds a unit of the last task of each name."""

    def __init__(self) -> None:
        self.seconds_per_unit: dict[str, float] = {}
        self._task, self._units, self._begun = "", 0, 0.0

    def start(self, title: str, total: int, unit: str) -> None:
        self._task, self._units, self._begun = task_name(title), 0, time.perf_counter()

    def advance(self, count: int) -> None:
        self._units += count

    def finish(self) -> None:
        if self._units:
            seconds = time.perf_counter() - self._begun
            self.seconds_per_unit[self._task] = seconds / self._units
        self._task, self._units = "", 0


def _take_steps(inputs: RunInputs, stopwatch: _Stopwatch) -> int:
    """Train and embed a few images as the run will; return how many."""
    plan = inputs.plan
    if inputs.data is None:
        embedder = build_untrained(plan.recipe.backbone, device=plan.device)
        rows: Manifest = inputs.all_datasets[0].manifest
        rows = rows.select(range(min(_EMBEDDED, len(rows))))
        embed_manifest(embedder, rows, progress=stopwatch)
        return len(rows)
    few = [_keep_few(dataset, plan.recipe) for dataset in inputs.datasets]
    recipe = _shorten(fit_batches(plan.recipe, few))
    data = training_rows(recipe, few, seed=plan.seed)
    assert data is not None
    plan = replace(plan, recipe=recipe)
    trial = RunInputs(plan, few, (), data)
    model, preprocess = trial.start_model(progress=stopwatch)
    run = create_run(trial, overwrite=False)
    run.writes = False  # weights and tables of a few steps are no use to anybody
    trainer = Trainer(
        run,
        recipe,
        model,
        data,
        state=TrainingState(),
        info=checkpoint_info(run, plan, preprocess, data),
        trackers=Trackers(run.path, (), say=stopwatch.message),
        context=plan.context(stopwatch),
    )
    trainer.fit()
    embedder = Embedder(trainer.model, trainer.info, device=plan.device)
    for dataset in few:
        rows = dataset.manifest.select(range(min(_EMBEDDED, len(dataset.manifest))))
        embed_manifest(embedder, rows, progress=stopwatch)
    return len(data)


def _keep_few(dataset: DataSet, recipe: Recipe) -> DataSet:
    """Keep so many identities that each stage has a few batches of the size that it asks for."""
    rows = dataset.manifest.training()
    rows = rows.select(rows.indices("train"))
    groups = list(rows_by_identity(rows, range(len(rows))).values())
    wanted = _BATCHES * max(stage.batch.count for stage in recipe.stages)
    identities = max(stage.batch.identities or 2 for stage in recipe.stages)
    count = max(identities, math.ceil(wanted / (len(rows) / len(groups))))
    kept = [row for group in groups[:count] for row in group]
    return replace(dataset, manifest=rows.select(kept), protocol=None)


def _shorten(recipe: Recipe) -> Recipe:
    stages = tuple(stage.model_copy(update={"epochs": _EPOCHS}) for stage in recipe.stages)
    return recipe.model_copy(update={"stages": stages})
