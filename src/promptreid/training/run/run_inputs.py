"""What a run reads: its plan, its data sets, and the rows that it learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from promptreid.data.dataset import DataSet
from promptreid.data.images.preprocess import Preprocess
from promptreid.data.images.readable import load_readable
from promptreid.data.splits.unseen import check_unseen
from promptreid.models.reid import ReIDModel
from promptreid.progress import Progress
from promptreid.training.run.run_plan import RunPlan
from promptreid.training.run.training_data import TrainingData
from promptreid.training.run.training_rows import started_model, training_rows


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
