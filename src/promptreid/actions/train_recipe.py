"""Training a recipe, as the command `train` and Python do."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptreid.actions.run import Run
from promptreid.actions.train_settings import (
    Overrides,
    check_training,
    list_settings,
    list_specs,
    name_recipe,
)
from promptreid.processes.asked_call import asked_call, call_text
from promptreid.progress import Lines, Progress
from promptreid.text.lists import list_words
from promptreid.training.run.time_trial import TrainingTime, measure_training
from promptreid.training.run.train import TrainRequest
from promptreid.training.run.train import train as run_training

if TYPE_CHECKING:
    from promptreid.data.dataset import DataSet

    Data = str | DataSet | Sequence[str | DataSet]


def train(
    recipe: str | os.PathLike[str] | None = None,
    data: Data = (),
    *,
    test: Data = (),
    overrides: Overrides | None = None,
    out: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    any_threads: bool = False,
    device: str | None = None,
    unreadable: str = "stop",
    track: str | Sequence[str] = (),
    track_pictures: str | None = None,
    note: str | None = None,
    before: bool | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Run:
    """Train a recipe on data sets, score it by their protocol, and leave a run folder.

    The arguments are the options of `promptreid train`; the folder is the same, whichever of the
    two makes it, resumes it or compares it.

    Args:
        recipe: Name of a recipe (`promptreid.recipes()` lists them), or a YAML file.
        data: Data set to learn from, as `load_data` gives it or its spec; several give several
            domains.
        test: Data sets that are scored at the end and never learned from.
        overrides: Settings of the recipe by their full key, such as
            `{"stages.image.epochs": 10}`.
        out: Run folder; None for one in `runs/` named after recipe, data and seed.
        seed: Seed of every random choice; None for 0.
        resume: Go on with the run in `out`, or start it if there is none.
        overwrite: Replace an earlier run in `out`.
        any_threads: Resume with another number of threads, and so with other last bits.
        device: "cuda", "mps" or "cpu"; None for the best there is.
        unreadable: "stop" at images that cannot be decoded, or "skip" them.
        track: Trackers that show the run as well, such as "tensorboard".
        track_pictures: How trackers get pictures: "plain", "pixelated" or "none".
        note: What the run is for, a line for people.
        before: Whether the untrained backbone is scored first, so that the run ends with what
            training gained; None for yes.
        progress: Where to report; None for lines on standard error, `promptreid.Silent()` for
            silence.
        settings: Settings of the recipe by the last part of their key, where only one key of the
            recipe ends so: `weight_decay=0.01`, `precision="bf16"`.

    Returns:
        The finished run.

    Raises:
        PromptReIDError: Anything that you can mend, in a sentence with what to do.
        Interrupted: It was stopped with Ctrl-C. The state is saved, and the same call with
            `resume=True` goes on.

    Example:
        >>> import promptreid
        >>> run = promptreid.train(
        ...     "zero-shot", "folder:photos", overrides={"backbone.name": "tiny"},
        ...     out="runs/first", device="cpu", progress=promptreid.Silent(),
        ... )
        >>> 0 < run.scores["mAP"] <= 1
        True
    """
    said, progress = call_text("train", train, locals()), progress or Lines()
    request = _check_request(
        recipe, data, test, (overrides, settings), progress, out=out, seed=seed, resume=resume,
        overwrite=overwrite, any_threads=any_threads, device=device, unreadable=unreadable,
        track=list_words(track), track_pictures=track_pictures, note=note, before=before,
    )  # fmt: skip
    with asked_call((said,)):
        return Run(run_training(request, progress=progress).path)


def estimate(
    recipe: str | os.PathLike[str],
    data: Data,
    *,
    test: Data = (),
    overrides: Overrides | None = None,
    seed: int | None = None,
    device: str | None = None,
    unreadable: str = "stop",
    before: bool | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> TrainingTime:
    """Take a few steps of each stage, and say how long a training will take; nothing is left.

    It is `promptreid train --estimate`. The arguments are those of `train`.

    Args:
        recipe: Name of a recipe, or a YAML file.
        data: Data set to learn from; several give several domains.
        test: Data sets that would be scored at the end.
        overrides: Settings of the recipe by their full key.
        seed: Seed of every random choice; None for 0.
        device: Where to compute; None for the best there is.
        unreadable: "stop" at images that cannot be decoded, or "skip" them.
        before: Whether the untrained backbone would be scored first; None for yes.
        progress: Where to report; None for lines on standard error.
        settings: Settings of the recipe by the last part of their key.

    Returns:
        The `seconds` it will take, and those of each of its `parts`; `print` it for words.

    Raises:
        PromptReIDError: Anything that you can mend, as `train` would say it.

    Example:
        >>> time = promptreid.estimate(
        ...     "zero-shot", "folder:photos", overrides={"backbone.name": "tiny"}, device="cpu",
        ...     progress=promptreid.Silent(),
        ... )
        >>> time.seconds > 0
        True
    """
    progress = progress or Lines()
    request = _check_request(
        recipe, data, test, (overrides, settings), progress, seed=seed, device=device,
        unreadable=unreadable, before=before,
    )  # fmt: skip
    return measure_training(request, progress=progress)


def _check_request(
    recipe: str | os.PathLike[str] | None,
    data: Data,
    test: Data,
    settings: tuple[Overrides | None, Mapping[str, Any]],
    progress: Progress,
    *,
    out: str | os.PathLike[str] | None = None,
    **chosen: Any,
) -> TrainRequest:
    """Check what a training is asked for, and say what is recorded under another name."""
    name = name_recipe(recipe)
    request = TrainRequest(
        recipe=name,
        overrides=list_settings(name, *settings),
        data=list_specs(data),
        test=list_specs(test, argument="test"),
        out=None if out is None else Path(out),
        **chosen,
    )
    notes = check_training(
        name, request.overrides, data=request.data, test=request.test, out=request.out,
        resume=request.resume, overwrite=request.overwrite, track=request.track, note=request.note,
    )  # fmt: skip
    for sentence in notes:
        progress.message(sentence)
    return request
