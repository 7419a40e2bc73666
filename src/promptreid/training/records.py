"""What a run folder says of a run's data, machine and settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from promptreid.data.dataset import DataSet
from promptreid.data.preprocess import Preprocess
from promptreid.errors import RunError
from promptreid.tracking.tracker import RunInfo
from promptreid.training.data import TrainingData
from promptreid.training.environment import environment
from promptreid.training.plan import Plan
from promptreid.training.run_folder import DATA, ENVIRONMENT, RunFolder


def create_run(
    plan: Plan, datasets: Sequence[DataSet], tests: Sequence[DataSet], *, overwrite: bool
) -> RunFolder:
    """Make the folder of a new run.

    Args:
        plan: Where it goes and what it does.
        datasets: Those to train on.
        tests: Those that are only scored.
        overwrite: Replace an earlier run.

    Raises:
        RunError: The folder is taken or cannot be written.
    """
    record = environment(seed=plan.seed, device=plan.device, precision=plan.precision)
    record["unreadable"] = plan.unreadable
    record["track_pictures"] = plan.track_pictures
    return RunFolder.create(
        plan.out,
        recipe=plan.recipe,
        environment=record,
        data=[_data_record(dataset, "train") for dataset in datasets]
        + [_data_record(dataset, "test") for dataset in tests],
        overwrite=overwrite,
    )


def _data_record(dataset: DataSet, role: str) -> dict[str, Any]:
    manifest, protocol = dataset.manifest, dataset.protocol
    return {
        "spec": dataset.spec,
        "role": role,
        "name": manifest.name,
        "fingerprint": manifest.fingerprint(),
        "splits": manifest.counts(),
        "protocol": protocol.name if protocol is not None else None,
        "repeats": len(protocol.repeats) if protocol is not None else 0,
        "notes": list(dataset.notes),
    }


def check_same_data(run: RunFolder, datasets: Sequence[DataSet]) -> None:
    """Refuse to go on with a run whose data have changed.

    Raises:
        RunError: A data set's rows are others than when the run was started.
    """
    for record, dataset in zip(run.read(DATA), datasets, strict=True):
        if record["fingerprint"] != dataset.manifest.fingerprint():
            now = _data_record(dataset, record["role"])
            raise RunError(
                f"The data behind {dataset.spec} has changed since {run.path} was started: it had "
                f"{record['splits']}, and now has {now['splits']}. "
                "Restore it, or start a new run."
            )


def run_info(run: RunFolder, plan: Plan, *, epochs: int) -> RunInfo:
    """Say what trackers need to know of a run that has trained so many epochs."""
    return RunInfo(
        name=run.path.resolve().name,
        folder=run.path,
        recipe=plan.recipe.model_dump(mode="json"),
        environment=run.read(ENVIRONMENT),
        data=tuple(run.read(DATA)),
        step=epochs,
    )


def checkpoint_metadata(
    run: RunFolder, plan: Plan, preprocess: Preprocess, data: TrainingData | None
) -> dict[str, Any]:
    """Say what every checkpoint of a run says of itself, beside its model and position."""
    return {
        "recipe": plan.recipe.model_dump(mode="json"),
        "preprocess": preprocess.to_dict(),
        "classes": list(data.classes) if data is not None else [],
        "camera_values": list(data.camera_values) if data is not None else [],
        "view_values": list(data.view_values) if data is not None else [],
        "seed": plan.seed,
        "data": [record["fingerprint"] for record in run.read(DATA) if record["role"] == "train"],
    }
