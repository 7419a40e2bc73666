"""What `promptreid train` was asked for, and what follows from it before anything is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from promptreid.config.recipe_settings import changes
from promptreid.config.recipes import load_recipe
from promptreid.config.schema import Recipe
from promptreid.errors import ConfigError, RunError, unknown_name
from promptreid.inference.device import pick_device, resolve_precision
from promptreid.inference.run_context import RunContext
from promptreid.models.towers.product_choice import choose_products
from promptreid.processes.process_group import ALONE, Processes
from promptreid.processor import describe_processor
from promptreid.progress import Progress
from promptreid.runs.file_names import RECIPE
from promptreid.runs.run_data import locate_spec, resolve_spec
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_note import clean_note
from promptreid.runs.run_place import check_free, is_run
from promptreid.runs.run_records import ProductChoice
from promptreid.tracking.track_option import TrackerSpec, check_installed, parse_trackers
from promptreid.tracking.tracker_group import read_tracking
from promptreid.training.run.changed_hardware import with_changed_hardware
from promptreid.training.stage.early_stopping import validation_metric

PICTURES = ("plain", "pixelated", "none")
"""How trackers get pictures of test images."""


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
    any_threads: bool = False
    """Go on with another number of threads, and so with other last bits."""
    device: str | None = None
    unreadable: str = "stop"
    test: Sequence[str] = ()
    """Data sets that are scored at the end and never learned from."""
    track: Sequence[str] = ()
    """Trackers; a resumed run goes on with those it has when none is named."""
    track_pictures: str | None = None
    """One of `PICTURES`; a resumed run goes on with its own when None."""
    note: str | None = None
    """What the run is for; a resumed run keeps its own and takes no other."""
    before: bool | None = None
    """Whether the untrained model is scored first; a resumed run goes on with its own when None."""


@dataclass(frozen=True)
class RunPlan:
    """A request with everything decided."""

    recipe: Recipe
    specs: tuple[str, ...]
    test: tuple[str, ...]
    out: Path
    seed: int
    unreadable: str
    precision: str
    products: ProductChoice
    device: torch.device
    track: tuple[TrackerSpec, ...]
    track_pictures: str
    before: bool = True
    note: str = ""
    processes: Processes = ALONE

    def context(self, progress: Progress) -> RunContext:
        """Say where and how the run computes, and where it reports."""
        hardware = self.recipe.hardware
        return RunContext(
            self.device, self.precision, self.seed, progress, hardware, self.processes
        )


def make_plan(request: TrainRequest) -> tuple[RunPlan, RunFolder | None]:
    """Decide everything that a request leaves open.

    Returns:
        The plan, and the run to go on with where there is one.

    Raises:
        ConfigError: The recipe or an override is wrong, or a tracker is not installed.
        RunError: There is no run to resume, it was started otherwise, or the folder is taken.
    """
    device = pick_device(request.device)
    if request.track_pictures not in (None, *PICTURES):
        raise ConfigError(unknown_name("kind of pictures", request.track_pictures, PICTURES))
    out = request.out
    if request.resume and out is not None and is_run(out):
        run = RunFolder.open(out)
        return _plan_resumed(request, run, device), run
    if request.recipe is None:
        raise RunError(
            f"There is no run to resume in {out}; give a recipe and --data to start one."
        )
    recipe = load_recipe(request.recipe, request.overrides)
    _check_prompts_are_taught(recipe)
    validation_metric(recipe.validation)
    seed = request.seed or 0
    names = "+".join(spec.partition(":")[0] for spec in request.data)
    out = out or Path("runs") / f"{recipe.name.replace('/', '-')}-{names}-seed{seed}"
    check_free(out, overwrite=request.overwrite)
    plan = RunPlan(
        recipe=recipe,
        specs=tuple(request.data),
        test=tuple(request.test),
        out=out,
        seed=seed,
        unreadable=request.unreadable,
        precision=resolve_precision(recipe.hardware.precision, device),
        products=choose_products(recipe.hardware.products, describe_processor()),
        device=device,
        track=_chosen_trackers(request, None),
        track_pictures=request.track_pictures or PICTURES[0],
        before=request.before is not False,
        note=clean_note(request.note or ""),
    )
    return plan, None


def _chosen_trackers(request: TrainRequest, run: RunFolder | None) -> tuple[TrackerSpec, ...]:
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


def _plan_resumed(request: TrainRequest, run: RunFolder, device: torch.device) -> RunPlan:
    """Take the plan from the folder, and refuse a request that differs from it."""
    recipe, before = run.recipe(), run.environment()
    records = run.data()
    specs = tuple(locate_spec(run, record) for record in records if record.role == "train")
    test = tuple(locate_spec(run, record) for record in records if record.role == "test")
    recipe = _check_same_request(request, run, recipe, specs, test)
    return RunPlan(
        recipe=recipe,
        specs=specs,
        test=test,
        out=run.path,
        seed=before.seed,
        unreadable=before.unreadable,
        precision=before.precision,
        products=before.products,
        device=device,
        track=_chosen_trackers(request, run),
        track_pictures=request.track_pictures or before.track_pictures,
        before=before.before if request.before is None else request.before,
        note=run.note(),
    )


def _check_same_request(
    request: TrainRequest,
    run: RunFolder,
    recipe: Recipe,
    specs: Sequence[str],
    test: Sequence[str],
) -> Recipe:
    """Refuse to resume a run with another recipe, other data, another seed or another note.

    Returns:
        The recipe to go on with, which may use memory otherwise than before.
    """
    out, seed = run.path, run.environment().seed
    if request.recipe is not None or request.overrides:
        asked = load_recipe(request.recipe or str(run.path / RECIPE), request.overrides)
        recipe = with_changed_hardware(recipe, asked, request.overrides)
        if asked.model_copy(update={"name": recipe.name}) != recipe:
            raise RunError(
                f"{out} was started with another recipe (see its recipe.yaml): "
                f"{_difference(recipe, asked)}. Resume with the same recipe and overrides or with "
                "none, or give another --out."
            )
    for option, asked, earlier in (("data", request.data, specs), ("test", request.test, test)):
        if asked and [str(resolve_spec(spec)) for spec in asked] != [
            str(resolve_spec(spec)) for spec in earlier
        ]:
            started = f" --{option} ".join(["", *earlier]).strip() or f"no --{option}"
            raise RunError(
                f"{out} was started with {started}, not {' '.join(asked)}. Resume with the same "
                "data or with none, or give another --out."
            )
    if request.seed is not None and request.seed != seed:
        raise RunError(
            f"{out} was started with --seed {seed}, not {request.seed}. "
            "Resume with the same seed or with none, or give another --out."
        )
    note = run.note()
    if request.note is not None and clean_note(request.note) != note:
        has = f"the note {note!r}" if note else "no note"
        raise RunError(
            f"{out} has {has}. Resume without --note, and change the note when the run is done or "
            f"stopped: promptreid note {out} TEXT."
        )
    return recipe


def _difference(before: Recipe, asked: Recipe) -> str:
    """Name the first few settings in which two recipes differ."""
    settings = list(changes(before, asked).items())[:4]
    shown = [f"{key} was {old!r} and is now {new!r}" for key, (old, new) in settings]
    return "; ".join(shown) or "its description differs"
