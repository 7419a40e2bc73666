"""Put a run together: recipe, data, model, folder; train; score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from promptreid.config.recipes import load_recipe
from promptreid.config.schema import Recipe
from promptreid.data.dataset import DataSet, load_data
from promptreid.data.preprocess import Preprocess
from promptreid.data.readable import only_readable
from promptreid.data.unseen import check_unseen
from promptreid.errors import ConfigError, DataError, RunError
from promptreid.evaluation.attributes import classify_attributes
from promptreid.evaluation.score_data import score_data, tested_rows
from promptreid.evaluation.settings import RetrievalSettings
from promptreid.models.checkpoint import load_model, load_training, save_model
from promptreid.models.reid import ReIDModel
from promptreid.models.sentences import template_fields
from promptreid.progress import Logged, Progress, clock
from promptreid.tracking.group import Trackers, read_tracking
from promptreid.tracking.spec import TrackerSpec, check_installed, parse_trackers
from promptreid.tracking.tracker import RunInfo
from promptreid.training.batches import stage_sampler
from promptreid.training.build import build_model
from promptreid.training.data import TrainingData, training_data
from promptreid.training.device import pick_device, resolve_precision
from promptreid.training.environment import environment
from promptreid.training.run_folder import (
    DATA,
    ENVIRONMENT,
    LOG,
    RECIPE,
    SCORES,
    STATUS,
    RunFolder,
    check_free,
)
from promptreid.training.start import start_from
from promptreid.training.state import TrainingState
from promptreid.training.trainer import Interrupted, Trainer, clean_cache


@dataclass(frozen=True)
class TrainRequest:
    """What `promptreid train` was asked for; see its options."""

    recipe: str | None = None
    overrides: Sequence[str] = ()
    data: Sequence[str] = ()
    out: Path | None = None
    seed: int | None = None
    resume: bool = False
    overwrite: bool = False
    device: str | None = None
    unreadable: str = "stop"
    test: Sequence[str] = ()
    """Data sets that are scored at the end and never learned from."""
    track: Sequence[str] = ()
    """Trackers; a resumed run goes on with those it has when none is named."""


@dataclass(frozen=True)
class _Plan:
    """A request with everything decided."""

    recipe: Recipe
    specs: tuple[str, ...]
    test: tuple[str, ...]
    out: Path
    seed: int
    unreadable: str
    precision: str
    device: torch.device
    track: tuple[TrackerSpec, ...]


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
    """
    plan, run = _plan(request)
    if run is not None and run.read(STATUS).get("status") == "complete":
        progress.message(f"{run.path} is complete; nothing is left to train")
        if plan.track and request.track:
            _show(run, plan, progress)
        return run
    datasets = [_load(spec, plan.unreadable, progress) for spec in plan.specs]
    tests = [_load(spec, plan.unreadable, progress) for spec in plan.test]
    data = _training_rows(plan, datasets)
    check_unseen(datasets if data is not None else (), tests)
    if run is None:
        model, preprocess = _build(plan, data, progress)
        run = _create(plan, request, datasets, tests)
    else:
        _check_same_data(run, [*datasets, *tests])
        model, preprocess = None, None
    progress = Logged(progress, run.path / LOG)
    with run.locked():
        trackers = _trackers(run, plan, progress)
        state = TrainingState()
        if run.last.is_file():
            model, metadata = load_model(run.last)
            preprocess = Preprocess.from_dict(metadata["preprocess"])
            state = TrainingState.unpack(*load_training(run.last))
            progress.message(f"resuming {run.path} {_where(state, plan.recipe)}")
        if model is None or preprocess is None:  # stopped before the first checkpoint
            model, preprocess = _build(plan, data, progress)
        stops = (Interrupted, KeyboardInterrupt)
        try:
            with trackers.session(_run_info(run, plan, state), state.table, stopped=stops):
                _fit(run, plan, model, preprocess, data, state, trackers, progress)
                _score(run, plan, [*datasets, *tests], trackers, progress)
        except stops:
            where = _where(state, plan.recipe)
            run.write(STATUS, {"status": "stopped", "at": where, **trackers.note()})
            raise Interrupted(str(run.path)) from None
        _finish(run, state, trackers)
    return run


def _plan(request: TrainRequest) -> tuple[_Plan, RunFolder | None]:
    device = pick_device(request.device)
    out = request.out
    if request.resume and out is not None and (out / RECIPE).is_file():
        run = RunFolder.open(out)
        return _plan_again(request, run, out, device), run
    if request.recipe is None:
        raise RunError(
            f"There is no run to resume in {out}; give a recipe and --data to start one."
        )
    recipe = load_recipe(request.recipe, request.overrides)
    _check_prompts_are_taught(recipe)
    seed = request.seed or 0
    names = "+".join(spec.partition(":")[0] for spec in request.data)
    out = out or Path("runs") / f"{recipe.name.replace('/', '-')}-{names}-seed{seed}"
    check_free(out, overwrite=request.overwrite)
    plan = _Plan(
        recipe=recipe,
        specs=tuple(request.data),
        test=tuple(request.test),
        out=out,
        seed=seed,
        unreadable=request.unreadable,
        precision=resolve_precision(recipe.precision, device),
        device=device,
        track=_track(request, None),
    )
    return plan, None


def _track(request: TrainRequest, run: RunFolder | None) -> tuple[TrackerSpec, ...]:
    """Return the trackers asked for, or else those that a run to resume has."""
    specs = parse_trackers(request.track)
    if run is not None and not request.track:
        specs = tuple(record.spec for record in read_tracking(run.path))
    check_installed(specs)
    return specs


def _check_prompts_are_taught(recipe: Recipe) -> None:
    """Refuse to teach images with the texts of prompts that nothing has taught."""
    if recipe.start.checkpoint is not None or recipe.prompt.init is not None:
        return
    for stage in recipe.stages:
        if "prompt" in stage.learns:
            return
        if any("prompt" in term.needs for term in stage.losses.active().values()):
            raise ConfigError(
                f"Stage {stage.name} compares images with prompts that are still random: no stage "
                "before it learns them. Set start.checkpoint to a run that learned them (the "
                "recipe prompt-learning does), or stage_mode=prompts_then_image where the recipe "
                "has a prompt stage."
            )


def _plan_again(request: TrainRequest, run: RunFolder, out: Path, device: torch.device) -> _Plan:
    """Take the plan from the folder, and refuse a request that differs from it."""
    recipe, before = run.recipe(), run.read(ENVIRONMENT)
    records = run.read(DATA)
    specs = tuple(record["spec"] for record in records if record["role"] == "train")
    test = tuple(record["spec"] for record in records if record["role"] == "test")
    if request.recipe is not None:
        asked = load_recipe(request.recipe, request.overrides)
        if asked.model_copy(update={"name": recipe.name}) != recipe:
            raise RunError(
                f"{out} was started with another recipe (see {out / RECIPE}): "
                f"{_difference(recipe, asked)}. Resume with the same recipe and overrides or with "
                "none, or give another --out."
            )
    for option, asked, earlier in (("data", request.data, specs), ("test", request.test, test)):
        if asked and tuple(asked) != earlier:
            started = f" --{option} ".join(["", *earlier]).strip() or f"no --{option}"
            raise RunError(
                f"{out} was started with {started}, not {' '.join(asked)}. Resume with the same "
                "data or with none, or give another --out."
            )
    if request.seed is not None and request.seed != before["seed"]:
        raise RunError(
            f"{out} was started with --seed {before['seed']}, not {request.seed}. "
            "Resume with the same seed or with none, or give another --out."
        )
    return _Plan(
        recipe=recipe,
        specs=specs,
        test=test,
        out=out,
        seed=before["seed"],
        unreadable=before["unreadable"],
        precision=before["precision"],
        device=device,
        track=_track(request, run),
    )


def _difference(before: Recipe, asked: Recipe) -> str:
    """Name the first few keys in which two recipes differ."""

    def flat(value: Any, path: str = "") -> dict[str, Any]:
        if isinstance(value, dict):
            items = value.items()
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            items = ((item.get("name", number), item) for number, item in enumerate(value))
        else:
            return {path: value}
        parts = [flat(item, f"{path}.{key}" if path else str(key)) for key, item in items]
        return {key: found for part in parts for key, found in part.items()}

    old, new = flat(before.model_dump(mode="json")), flat(asked.model_dump(mode="json"))
    skip = {"name", "description", "source"}
    keys = [k for k in {**old, **new} if old.get(k) != new.get(k) and k not in skip]
    shown = [f"{key} was {old.get(key)!r} and is now {new.get(key)!r}" for key in keys[:4]]
    return "; ".join(shown) or "its description differs"


def _load(spec: str, unreadable: str, progress: Progress) -> DataSet:
    dataset = load_data(spec)
    for note in dataset.notes:
        progress.message(f"{dataset.manifest.name}: {note}")
    return only_readable(dataset, policy=unreadable, progress=progress)


def _training_rows(plan: _Plan, datasets: Sequence[DataSet]) -> TrainingData | None:
    if not plan.recipe.stages:
        return None
    validation = plan.recipe.validation
    data = training_data(
        datasets,
        validation=validation.kind,
        fraction=validation.fraction,
        seed=plan.seed,
        fields=prompt_fields(plan.recipe),
        per_image=plan.recipe.prompt.kind == "image",
        side_attribute=plan.recipe.sie.attribute,
    )
    for stage in plan.recipe.stages:  # a stage that cannot run must not wait for the one before
        stage_sampler(stage, data, plan.seed)
    return data


def _build(
    plan: _Plan, data: TrainingData | None, progress: Progress
) -> tuple[ReIDModel, Preprocess]:
    model, preprocess = build_model(plan.recipe, data, seed=plan.seed)
    classes = data.classes if data is not None else ()
    start_from(model, plan.recipe.start, classes, progress=progress)
    return model, preprocess


def prompt_fields(recipe: Recipe) -> tuple[str, ...]:
    """Return the attributes that the recipe's prompts name."""
    if recipe.prompt.kind == "none":
        return ()
    return template_fields([*recipe.prompt.template, recipe.prompt.init or ""])


def _create(
    plan: _Plan, request: TrainRequest, datasets: Sequence[DataSet], tests: Sequence[DataSet]
) -> RunFolder:
    record = environment(seed=plan.seed, device=plan.device, precision=plan.precision)
    record["unreadable"] = plan.unreadable
    return RunFolder.create(
        plan.out,
        recipe=plan.recipe,
        environment=record,
        data=[_data_record(dataset, "train") for dataset in datasets]
        + [_data_record(dataset, "test") for dataset in tests],
        overwrite=request.overwrite,
    )


def _data_record(dataset: DataSet, role: str) -> dict[str, Any]:
    manifest, protocol = dataset.manifest, dataset.protocol
    counts: dict[str, dict[str, int]] = {}
    for split in dict.fromkeys(manifest.splits):
        rows = manifest.indices(split)
        identities = {(manifest.domains[row], manifest.identities[row]) for row in rows}
        counts[split] = {"images": len(rows), "identities": len(identities)}
    return {
        "spec": dataset.spec,
        "role": role,
        "name": manifest.name,
        "fingerprint": manifest.fingerprint(),
        "splits": counts,
        "protocol": protocol.name if protocol is not None else None,
        "repeats": len(protocol.repeats) if protocol is not None else 0,
        "notes": list(dataset.notes),
    }


def _check_same_data(run: RunFolder, datasets: Sequence[DataSet]) -> None:
    for record, dataset in zip(run.read(DATA), datasets, strict=True):
        if record["fingerprint"] != dataset.manifest.fingerprint():
            now = _data_record(dataset, record["role"])
            raise RunError(
                f"The data behind {dataset.spec} has changed since {run.path} was started: it had "
                f"{record['splits']}, and now has {now['splits']}. "
                "Restore it, or start a new run."
            )


def _trackers(run: RunFolder, plan: _Plan, progress: Progress) -> Trackers:
    def note_dropped() -> None:
        run.write(STATUS, {**run.read(STATUS), **trackers.note()})

    trackers = Trackers(run.path, plan.track, say=progress.message, dropped=note_dropped)
    return trackers


def _show(run: RunFolder, plan: _Plan, progress: Progress) -> None:
    """Pass a complete run on to trackers, which may have missed some of it."""
    with run.locked():
        trackers = _trackers(run, plan, progress)
        state = TrainingState.unpack(*load_training(run.last))
        with trackers.session(_run_info(run, plan, state), state.table):
            if (run.path / SCORES).is_file():
                found = run.read(SCORES)
                trackers.summary(found.get("results", [found]))
        status = {k: v for k, v in run.read(STATUS).items() if k != "trackers_dropped"}
        run.write(STATUS, {**status, **trackers.note()})


def _run_info(run: RunFolder, plan: _Plan, state: TrainingState) -> RunInfo:
    return RunInfo(
        name=run.path.resolve().name,
        folder=run.path,
        recipe=plan.recipe.model_dump(mode="json"),
        environment=run.read(ENVIRONMENT),
        data=tuple(run.read(DATA)),
        step=len(state.table),
    )


def _fit(
    run: RunFolder,
    plan: _Plan,
    model: ReIDModel,
    preprocess: Preprocess,
    data: TrainingData | None,
    state: TrainingState,
    trackers: Trackers,
    progress: Progress,
) -> None:
    """Train what is left, and make sure that `last` and `best` exist."""
    run.write(STATUS, {"status": "training", **trackers.note()})
    metadata = {
        "recipe": plan.recipe.model_dump(mode="json"),
        "preprocess": preprocess.to_dict(),
        "classes": list(data.classes) if data is not None else [],
        "camera_values": list(data.camera_values) if data is not None else [],
        "view_values": list(data.view_values) if data is not None else [],
        "seed": plan.seed,
        "data": [record["fingerprint"] for record in run.read(DATA) if record["role"] == "train"],
    }
    if data is None:  # nothing learns, so the first checkpoint is the last and the best
        tensors, plain = state.pack()
        save_model(run.last, model, {**metadata, "training": plain}, extra_tensors=tensors)
        save_model(run.best, model, {**metadata, "best": {"chosen_at": "nothing was trained"}})
        return
    trainer = Trainer(
        run,
        plan.recipe,
        model,
        preprocess,
        data,
        state=state,
        metadata=metadata,
        seed=plan.seed,
        device=plan.device,
        precision=plan.precision,
        trackers=trackers,
        progress=progress,
    )
    trainer.fit()


def _score(
    run: RunFolder,
    plan: _Plan,
    datasets: Sequence[DataSet],
    trackers: Trackers,
    progress: Progress,
) -> None:
    """Score the best checkpoint on every data set that has something to test on."""
    testable = [dataset for dataset in datasets if dataset.protocol is not None]
    if not testable:
        progress.message("no query and gallery images, so there is nothing to score")
        return
    model, metadata = load_model(run.best)
    model.to(plan.device)
    preprocess = Preprocess.from_dict(metadata["preprocess"])
    settings = RetrievalSettings.of(plan.recipe.evaluation)
    results = []
    for dataset in testable:
        scores, _ = score_data(
            model,
            dataset,
            preprocess,
            metadata=metadata,
            device=plan.device,
            flip=settings.flip,
            expansion=settings.expansion,
            rerank=settings.rerank,
            progress=progress,
        )
        result = {**scores.to_dict(), "data": dataset.spec}
        if plan.recipe.zero_shot.attributes:
            result["attributes"] = _read_attributes(
                model, dataset, preprocess, plan, metadata, progress
            )
        results.append(result)
    run.write(SCORES, results[0] if len(results) == 1 else {"results": results})
    trackers.summary(results)


def _read_attributes(
    model: ReIDModel,
    dataset: DataSet,
    preprocess: Preprocess,
    plan: _Plan,
    metadata: Mapping[str, Any],
    progress: Progress,
) -> dict[str, Any]:
    """Read each attribute off the test images; one that cannot be told apart is said, not fatal."""
    found: dict[str, Any] = {}
    for name, sentences in plan.recipe.zero_shot.attributes.items():
        try:
            scores = classify_attributes(
                model,
                tested_rows(dataset),
                preprocess,
                {name: sentences},
                metadata=metadata,
                device=plan.device,
                progress=progress,
            )
        except DataError as error:
            progress.message(f"the attribute {name} is not read: {error}")
            continue
        found[name] = scores[name].to_dict()
        progress.message(
            f"{name} read by sentences alone: balanced accuracy "
            f"{scores[name].balanced_accuracy:.1%}, chance {scores[name].chance:.1%}"
        )
    return found


def _finish(run: RunFolder, state: TrainingState, trackers: Trackers) -> None:
    clean_cache(run)
    run.write(
        STATUS,
        {
            "status": "complete",
            "training_seconds": round(state.seconds, 1),
            "best": {"score": state.best, "chosen_at": state.best_at},
            **trackers.note(),
        },
    )


def _where(state: TrainingState, recipe: Recipe) -> str:
    if state.stage >= len(recipe.stages):
        return f"after the last stage, {clock(state.seconds)} trained"
    name = recipe.stages[state.stage].name
    return f"in stage {name}, epoch {state.epoch}, batch {state.step}"
