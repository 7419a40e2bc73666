"""`promptreid train`."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Generator
from pathlib import Path
from typing import Any

import click

from promptreid.cli import options
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import (
    print_run_scores,
    read_recipe,
    reporter,
    run_record,
    started,
    time_text,
)
from promptreid.errors import PromptReIDError, ToldElsewhereError
from promptreid.processes.launch import count_processes, is_first
from promptreid.text.lists import listed


@click.command()
@click.argument("recipe", required=False, shell_complete=options.offers("recipes"))
@options.overrides
@options.data("Data set; several give several domains.", name="data")
@options.data(
    "Data set that is scored at the end and never learned from; may be given several times.",
    name="test",
    option="--test",
)
@click.option("--out", type=click.Path(path_type=Path), help="Run folder.  [default: runs/...]")
@click.option(
    "--seed", type=click.IntRange(0), default=None, help="Of every random choice.  [default: 0]"
)
@click.option(
    "--resume", is_flag=True, help="Continue the run in --out, or start it if there is none."
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier run in --out.")
@click.option(
    "--any-threads",
    is_flag=True,
    help="Resume with another number of threads than before; the last bits differ then.",
)
@click.option(
    "--track",
    multiple=True,
    metavar="TRACKER[:PLACE]",
    help="Also show the run in tensorboard[:FOLDER], wandb[:PROJECT] or mlflow[:EXPERIMENT or "
    "ADDRESS]; may be given several times. A resumed run goes on with those it has; none stops "
    "them.",
)
@click.option(
    "--track-pictures",
    type=click.Choice(["plain", "pixelated", "none"]),
    help="How trackers get rank lists of test images at the end.  [default: plain, or as the "
    "resumed run was started]",
)
@click.option(
    "--note",
    metavar="TEXT",
    help="What the run is for, a line for people; compare and report show it, and promptreid note "
    "changes it.",
)
@click.option(
    "--before/--no-before",
    default=None,
    help="Score the untrained backbone first, so that the run ends with what training gained. It "
    "costs one pass over the test images, once for all runs on them.  [default: --before]",
)
@options.precision(
    "Number type of forward and backward pass; hardware.precision of the recipe.  [default: auto, "
    "which is bf16 where it is native, else fp16 on CUDA, else fp32]"
)
@click.option(
    "--compile",
    is_flag=True,
    default=None,
    help="Compile the blocks of the image tower; hardware.compile of the recipe.",
)
@click.option(
    "--checkpointing",
    is_flag=True,
    default=None,
    help="Compute blocks again instead of holding what they computed: less memory, more work; "
    "hardware.checkpointing of the recipe.",
)
@click.option(
    "--accumulate",
    type=click.IntRange(1),
    help="Parts in which each batch passes the towers, with the loss and gradient of the whole; "
    "hardware.accumulate of the recipe.  [default: 1]",
)
@click.option(
    "--auto-batch",
    is_flag=True,
    default=None,
    help="Double the parts where memory does not suffice; hardware.auto_batch of the recipe.",
)
@click.option(
    "--estimate",
    is_flag=True,
    help="Take a few steps of each stage, say how long the run will take, and leave nothing.",
)
@json_option
@options.device
@options.unreadable
def train(
    recipe: str | None,
    overrides: tuple[str, ...],
    estimate: bool,
    json_out: JsonOut,
    **chosen: Any,
) -> None:
    """Train RECIPE on data sets, score it by their protocol, and leave a run folder.

    Overrides are dotted keys of the recipe, such as stages.image.epochs=2 or backbone.name=RN50.

    \b
    promptreid train clip-reid --data market1501:/data/Market-1501-v15.09.15
    promptreid train clip-reid/hand backbone.name=tiny \\
        --data "hands11k:/data/11k?aspect=dorsal_right"
    promptreid train clip-reid --data market1501:/data/Market \\
        --test msmt17:/data/MSMT17_V1
    promptreid train clip-reid --data market1501:/data/Market --track tensorboard
    promptreid train clip-reid --data market1501:/data/Market --estimate
    promptreid train --resume --out runs/my-run
    torchrun --nproc-per-node 4 -m promptreid train clip-reid \\
        --data market1501:/data/Market
    """  # noqa: D301
    if recipe is not None and "=" in recipe:
        overrides, recipe = (recipe, *overrides), None
    overrides += _take_hardware(chosen)
    with _mistakes_told_by_first():
        _check(recipe, overrides, estimate=estimate, **chosen)
    reads, out = chosen["data"], chosen["out"]
    says = f"reading {listed(reads)}" if reads else f"going on with {out}"
    # Of several processes that torchrun started, the first one speaks.
    with started(says) if is_first() else contextlib.nullcontext():
        from promptreid.training.run.time_trial import measure_training
        from promptreid.training.run.train import TrainRequest
        from promptreid.training.run.train import train as run_training
        from promptreid.training.stage.stop_signals import Interrupted

    request = TrainRequest(recipe=recipe, overrides=overrides, **chosen)
    try:
        if estimate:
            measured = measure_training(request, progress=reporter())
            click.echo(time_text(measured))
            json_out.give({"seconds": measured.seconds, **measured.to_dict()})
            return
        run = run_training(request, progress=reporter())
    except Interrupted as stopped:
        if is_first() and not estimate:
            click.echo(
                "stopped; the state is saved. Go on with: promptreid train --resume --out "
                f"{stopped}",
                err=True,
            )
        raise click.Abort from None
    if is_first():
        print_run_scores(run)
        json_out.give(run_record(run))


@contextlib.contextmanager
def _mistakes_told_by_first() -> Generator[None]:
    """Let the first process tell what all find alike, in the command line and the shared files."""
    try:
        yield
    except PromptReIDError as error:
        if is_first():
            raise
        raise ToldElsewhereError(str(error)) from error


def _take_hardware(chosen: dict[str, Any]) -> tuple[str, ...]:
    """Take options out that are settings of a recipe's section `hardware`, as its overrides."""
    keys = ("precision", "compile", "checkpointing", "accumulate", "auto_batch")
    given = {key: chosen.pop(key) for key in keys}
    return tuple(
        f"hardware.{key}={str(value).lower()}" for key, value in given.items() if value is not None
    )


def _check_is_recipe(name: str) -> None:
    """Explain a data set or a folder where the recipe belongs."""
    from promptreid.data.reader_registry import READERS

    is_folder = Path(name).is_dir()
    if name.partition(":")[0] not in READERS and not is_folder:
        return
    if ":" in name or is_folder:
        spec = f"folder:{name}" if is_folder else name
        raise click.UsageError(
            f"{name} is a {'folder' if is_folder else 'data set'}, and a recipe belongs there. "
            f"Write: promptreid train RECIPE --data {shlex.quote(spec)}, with a recipe such as "
            "clip-reid/tiny; `promptreid recipes` lists them."
        )


def _check(
    recipe: str | None,
    overrides: tuple[str, ...],
    *,
    data: tuple[str, ...],
    test: tuple[str, ...],
    out: Path | None,
    resume: bool,
    overwrite: bool,
    track: tuple[str, ...],
    note: str | None,
    estimate: bool,
    **_: Any,
) -> None:
    """Find mistakes in what was given before anything slow is imported."""
    if estimate and resume:
        raise click.UsageError("--estimate measures a run from its start; leave out --resume.")
    if estimate and count_processes() > 1:
        raise click.UsageError("--estimate measures one process; start it without torchrun.")
    if resume and overwrite:
        raise click.UsageError("--resume and --overwrite exclude each other.")
    if resume and out is None:
        raise click.UsageError("--resume needs --out, the run folder to continue.")
    if recipe is not None:
        _check_is_recipe(recipe)
    from promptreid.runs.run_place import check_free, is_run

    continues = resume and out is not None and is_run(out)
    if not continues:
        if recipe is None:
            raise click.UsageError("Give a RECIPE; `promptreid recipes` lists them.")
        if not data:
            raise click.UsageError("Give --data NAME:ROOT, the data set to train on.")
    if recipe is not None:
        read_recipe(recipe, overrides)
    if data or test:
        from promptreid.data.data_spec import parse_spec
        from promptreid.data.reader_registry import reader_entry

        for spec in (*data, *test):
            reader_entry(parse_spec(spec).name)
    if out is not None and not resume and not estimate:
        check_free(out, overwrite=overwrite)
    if track:
        from promptreid.tracking.track_option import check_installed, parse_trackers

        check_installed(parse_trackers(track))
    if note is not None:
        from promptreid.runs.run_note import clean_note

        clean_note(note)
