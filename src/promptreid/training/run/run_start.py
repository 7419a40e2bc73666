"""Begin a run or go on with it: its folder, what its files and trackers are told, what must fit."""

from __future__ import annotations

import torch

from promptreid.data.images.preprocess import Preprocess
from promptreid.errors import RunError
from promptreid.hub.hub_files import find_commits
from promptreid.models.checkpoint import load_model, load_training
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel
from promptreid.processor import describe_processor
from promptreid.runs.environment import record_environment
from promptreid.runs.run_data import record_data
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_images import list_images
from promptreid.text.lists import counted
from promptreid.tracking.tracker import RunInfo
from promptreid.training.run.run_inputs import RunInputs
from promptreid.training.run.run_plan import RunPlan
from promptreid.training.run.training_data import TrainingData
from promptreid.training.stage.training_state import TrainingState


def create_run(inputs: RunInputs, *, overwrite: bool) -> RunFolder:
    """Make the folder of a new run, in place of an earlier one if that may be overwritten.

    Raises:
        RunError: The folder is taken or cannot be written.
    """
    plan = inputs.plan
    environment = record_environment(
        seed=plan.seed,
        device=plan.device,
        precision=plan.precision,
        products=plan.products,
        unreadable=plan.unreadable,
        track_pictures=plan.track_pictures,
        before=plan.before,
        processes=plan.processes.count,
    )
    named = (plan.recipe.backbone.pretrained, plan.recipe.start.checkpoint)
    commits = find_commits([name for name in named if name is not None])
    return RunFolder.create(
        plan.out,
        recipe=plan.recipe,
        environment=environment.model_copy(update={"hub": commits}),
        data=[
            *(record_data(dataset, "train", run=plan.out) for dataset in inputs.datasets),
            *(record_data(dataset, "test", run=plan.out) for dataset in inputs.tests),
        ],
        images=list_images(inputs.all_datasets),
        note=plan.note,
        overwrite=overwrite,
    )


def run_info(run: RunFolder, plan: RunPlan, *, epochs: int) -> RunInfo:
    """Return what trackers need to know of a run that has trained so many epochs."""
    return RunInfo(
        name=run.name,
        folder=run.path,
        recipe=plan.recipe.model_dump(mode="json"),
        environment=run.environment().model_dump(),
        data=tuple(record.model_dump() for record in run.data()),
        files=run.described,
        step=epochs,
    )


def load_last(run: RunFolder) -> tuple[TrainingState, ReIDModel, Preprocess] | None:
    """Load what a stopped run goes on from; None before its first checkpoint.

    Raises:
        RunError: Another run has written the checkpoint.
        WeightsError: It cannot be read.
    """
    if not run.last.is_file():
        return None
    model, info = load_model(run.last)
    run.check_id(run.last, info.run or run.id)
    return TrainingState.unpack(load_training(run.last)), model, info.preprocess


def check_threads(run: RunFolder, plan: RunPlan) -> None:
    """Refuse to go on with another number of threads, where that gives other last bits.

    Raises:
        RunError: The run was started with another number of threads on a processor.
    """
    before, now = run.environment().threads, torch.get_num_threads()
    if plan.device.type == "cpu" and before != now:
        raise RunError(
            f"{run.path} was started with {counted(before, 'thread')}, and now there "
            f"{'is' if now == 1 else 'are'} {now}. Sums are split among threads, so the resumed "
            f"run would end with other last bits. Set OMP_NUM_THREADS={before}, or accept that "
            "with --any-threads."
        )


def describe_move(run: RunFolder, plan: RunPlan) -> str:
    """Say what follows from another processor than the run was started on; "" on the same one."""
    before, now = run.environment().processor, describe_processor().name
    if plan.device.type != "cpu" or before == now:
        return ""
    return (
        f"this run was started on {before or 'an unnamed processor'}, and this is "
        f"{now or 'an unnamed processor'}. It keeps the products it was started with "
        f"({plan.products}), but each library computes by what the processor is, so the weights "
        "from here on may differ in the last bits from those of a run that stayed; everything "
        "else goes on exactly"
    )


def checkpoint_info(
    run: RunFolder, plan: RunPlan, preprocess: Preprocess, data: TrainingData | None
) -> CheckpointInfo:
    """Return what every checkpoint of a run says of itself, beside its model and position."""
    return CheckpointInfo(
        run=run.id,
        products=plan.products,
        recipe=plan.recipe,
        preprocess=preprocess,
        classes=() if data is None else data.classes,
        camera_values=() if data is None else data.camera_values,
        view_values=() if data is None else data.view_values,
        seed=plan.seed,
        data=tuple(record.fingerprint for record in run.data() if record.role == "train"),
    )
