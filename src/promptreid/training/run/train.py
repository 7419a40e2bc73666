"""Put a run together: recipe, data, model, folder; train; score."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import replace
from typing import Any

from promptreid.config.schema import Recipe
from promptreid.data.images.preprocess import Preprocess
from promptreid.errors import PromptReIDError
from promptreid.evaluation.embeddings.kept_embeddings import default_embedding_cache
from promptreid.inference.embedder import Embedder
from promptreid.models.checkpoint import load_model, load_training, save_model
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.product_choice import multiply_by
from promptreid.processes.process_group import Processes, joined_processes
from promptreid.processes.told_once import errors_told_once
from promptreid.progress import Logged, Progress, Silent
from promptreid.progress.whole_work import Whole
from promptreid.runs.run_data import check_same_data
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_records import BestRecord, State, StatusRecord
from promptreid.text.durations import clock
from promptreid.tracking.tracker_group import Trackers
from promptreid.training.run.final_scores import score_run
from promptreid.training.run.run_inputs import RunInputs
from promptreid.training.run.run_plan import RunPlan, TrainRequest, make_plan
from promptreid.training.run.run_start import (
    check_threads,
    checkpoint_info,
    create_run,
    describe_move,
    load_last,
    run_info,
)
from promptreid.training.run.time_estimate import planned_work
from promptreid.training.run.untrained import score_untrained
from promptreid.training.stage.stop_signals import Interrupted
from promptreid.training.stage.trainer import Trainer
from promptreid.training.stage.training_state import TrainingState
from promptreid.training.thresholds.kept_threshold import keep_threshold
from promptreid.training.thresholds.threshold_samples import needs_cross_fit

__all__ = ["TrainRequest", "train"]

_STOPS = (Interrupted, KeyboardInterrupt)


def train(request: TrainRequest, *, progress: Progress) -> RunFolder:
    """Train, validate and score one recipe on one or several data sets.

    A stopped or killed run goes on from its last checkpoint when `resume` is set and ends with the
    same weights, to the bit on the CPU.

    Args:
        request: Recipe, data and options.
        progress: Where to report.

    Returns:
        The finished run.

    Raises:
        Interrupted: A signal asked for a stop; the state is saved.
        PromptReIDError: Anything the user can mend, with what to do.

    Example:
        >>> from pathlib import Path
        >>> from promptreid.progress import Silent
        >>> request = TrainRequest(
        ...     recipe="zero-shot",
        ...     overrides=("backbone.name=tiny",),
        ...     data=("folder:photos",),
        ...     out=Path("runs/new"),
        ...     device="cpu",
        ... )
        >>> run = train(request, progress=Silent())
        >>> 0 < run.scores()[0]["mAP"] <= 1
        True
    """
    with joined_processes(request.device) as processes, errors_told_once(processes):
        request = replace(request, device=processes.pick_device(request.device))
        progress = progress if processes.is_first else Silent()
        with progress.doing("training"):
            return _train(request, processes, progress)


def _train(request: TrainRequest, processes: Processes, progress: Progress) -> RunFolder:
    """Do one process's part of `train`; the first one writes and speaks for all."""
    plan, run = make_plan(request)
    plan = replace(plan, processes=processes)
    if run is not None and _is_done(run):
        progress.detail(f"{run.path} is complete; nothing is left to train")
        if plan.track and request.track and processes.is_first:
            _report_to_trackers(run, plan, progress)
        return run
    inputs = RunInputs.read(plan, progress=progress)
    processes.wait()  # all have seen the folder as it is, before one of them changes it
    fresh = None
    if run is None:
        fresh = inputs.start_model(progress=progress)
        with progress.doing("noting which images there are"):
            run = _create(inputs, overwrite=request.overwrite)
    else:
        with progress.doing("comparing the images with those of the run"):
            check_same_data(run, inputs.all_datasets)
    run.writes = processes.is_first
    with run.locked():
        run.clean()
        progress = Logged(progress, run.log) if run.writes else progress
        trackers = _open_trackers(run, plan, progress)
        state = TrainingState()
        try:
            saved = load_last(run)
            if saved is not None:
                state, model, preprocess = saved
                any_threads = request.any_threads or processes.grouped
                _check_resumed(run, plan, state, any_threads=any_threads)
                progress.message(f"resuming {run.path} {_position(state, plan.recipe)}")
                moved = describe_move(run, plan)
                if moved and state.stage < len(plan.recipe.stages):
                    progress.message(moved)
            else:  # new, or stopped before the first checkpoint
                model, preprocess = fresh or inputs.start_model(progress=progress)
            progress = Whole(progress, planned_work(inputs, state, halves=needs_cross_fit(inputs)))
            with multiply_by(plan.products):
                _run(run, inputs, model, preprocess, state, trackers, progress)
        except _STOPS:
            run.write_status(_status("stopped", trackers, at=_position(state, plan.recipe)))
            raise Interrupted(str(run.path)) from None
        except Exception as error:
            reason = str(error) if isinstance(error, PromptReIDError) else type(error).__name__
            with contextlib.suppress(PromptReIDError, OSError):  # the folder may be gone, too
                at = _position(state, plan.recipe)
                run.write_status(_status("failed", trackers, at=at, error=reason))
            raise
        _finish(run, state, trackers)
    return run


def _create(inputs: RunInputs, *, overwrite: bool) -> RunFolder:
    """Let the first process make the run folder, and all open it."""
    processes = inputs.plan.processes
    run = create_run(inputs, overwrite=overwrite) if processes.is_first else None
    processes.wait()
    return run or RunFolder.open(inputs.plan.out)


def _run(
    run: RunFolder,
    inputs: RunInputs,
    model: ReIDModel,
    preprocess: Preprocess,
    state: TrainingState,
    trackers: Trackers,
    progress: Progress,
) -> None:
    """Train what is left, choose the threshold of the best weights, and score them."""
    plan, data, table = inputs.plan, inputs.data, state.table
    with trackers.session(run_info(run, plan, epochs=len(table)), table, stopped=_STOPS):
        untrained = score_untrained(
            plan, inputs.all_datasets, cache=default_embedding_cache(), progress=progress
        )
        run.write_status(_status("training", trackers))
        info = checkpoint_info(run, plan, preprocess, data)
        if data is None:  # nothing learns, so the first checkpoint is the last and the best
            if run.writes:
                save_model(run.last, model, info, training=state.pack())
                nothing = BestRecord(score=None, chosen_at="nothing was trained")
                save_model(run.best, model, info.updated(best=nothing))
        else:
            trainer = Trainer(
                run,
                plan.recipe,
                model,
                data,
                state=state,
                info=info,
                trackers=trackers,
                context=plan.context(progress),
            )
            trainer.fit()
        best, info = _load_best(run, plan.processes)
        embedder = Embedder(best, info, device=plan.device)
        keep_threshold(run, embedder, inputs, progress=progress)
        score_run(
            run,
            embedder,
            inputs,
            trackers,
            epochs=len(state.table),
            untrained=untrained,
            progress=progress,
        )


def _load_best(run: RunFolder, processes: Processes) -> tuple[ReIDModel, CheckpointInfo]:
    """Load the best weights in all processes, when they are written and before they change."""
    processes.wait()
    best, info = load_model(run.best)
    best.backbone.share_rows(processes)
    processes.wait()
    return best, info


def _check_resumed(
    run: RunFolder, plan: RunPlan, state: TrainingState, *, any_threads: bool
) -> None:
    """Refuse other threads where something is left to train, and write a lost table anew."""
    if state.stage < len(plan.recipe.stages) and not any_threads:
        check_threads(run, plan)
    if state.table and not run.has_metrics:
        run.write_metrics(state.table)


def _is_done(run: RunFolder) -> bool:
    """Tell whether a run is complete and has all files that it should have."""
    if not run.has_status or not run.status().complete:
        return False
    tested = any(record.protocol is not None for record in run.data())
    learned = bool(run.recipe().stages)
    return (run.has_scores or not tested) and (run.has_metrics or not learned)


def _open_trackers(run: RunFolder, plan: RunPlan, progress: Progress) -> Trackers:
    def note_dropped() -> None:
        run.write_status(run.status().model_copy(update={"trackers_dropped": trackers.dropped}))

    specs = plan.track if run.writes else ()
    trackers = Trackers(run.path, specs, say=progress.message, dropped=note_dropped)
    return trackers


def _report_to_trackers(run: RunFolder, plan: RunPlan, progress: Progress) -> None:
    """Pass a complete run on to trackers, which may have missed some of it."""
    with run.locked():
        trackers = _open_trackers(run, plan, progress)
        state = TrainingState.unpack(load_training(run.last))
        with trackers.session(run_info(run, plan, epochs=len(state.table)), state.table):
            if run.has_scores:
                trackers.summary(run.scores())
        run.write_status(run.status().model_copy(update={"trackers_dropped": trackers.dropped}))


def _finish(run: RunFolder, state: TrainingState, trackers: Trackers) -> None:
    if run.writes:
        shutil.rmtree(run.cache, ignore_errors=True)
    status = _status(
        "complete",
        trackers,
        training_seconds=round(state.seconds, 1),
        best=BestRecord(score=state.best, chosen_at=state.best_at),
        ended_early=state.ended_early,
    )
    run.write_status(status)


def _status(status: State, trackers: Trackers, **more: Any) -> StatusRecord:
    return StatusRecord(status=status, trackers_dropped=trackers.dropped, **more)


def _position(state: TrainingState, recipe: Recipe) -> str:
    if state.stage >= len(recipe.stages):
        return f"after the last stage, {clock(state.seconds)} trained"
    name = recipe.stages[state.stage].name
    return f"in stage {name}, epoch {state.epoch}, batch {state.step}"
