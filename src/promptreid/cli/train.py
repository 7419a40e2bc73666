"""`promptreid train`."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import click

from promptreid.cli import options
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import print_run_scores, reporter, run_record, started
from promptreid.errors import ConfigError, PromptReIDError, ToldElsewhereError
from promptreid.processes.launch import count_processes, is_first
from promptreid.progress import Silent
from promptreid.text.lists import listed

_OF_ESTIMATE = ("data", "test", "seed", "device", "unreadable", "before")


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
@options.open_seed
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
    from promptreid.actions.train_settings import HARDWARE, check_training, list_settings

    if recipe is not None and "=" in recipe:
        overrides, recipe = (recipe, *overrides), None
    hardware = {name: chosen.pop(name) for name in HARDWARE}
    checked = ("data", "test", "out", "resume", "overwrite", "track", "note")
    with _mistakes_told_by_first():
        _check_estimate(estimate=estimate, resume=chosen["resume"])
        texts = list_settings(recipe, overrides, hardware)
        asked = {name: chosen[name] for name in checked}
        check_training(recipe, texts, estimate=estimate, **asked)
    reads, out = chosen["data"], chosen["out"]
    says = f"reading {listed(reads)}" if reads else f"going on with {out}"
    # Of several processes that torchrun started, the first one speaks.
    with started(says) if is_first() else contextlib.nullcontext():
        from promptreid.actions import train_recipe
        from promptreid.training.stage.stop_signals import Interrupted

    progress = reporter() if is_first() else Silent()
    try:
        if estimate:
            assert recipe is not None
            asked = {name: chosen[name] for name in _OF_ESTIMATE}
            measured = train_recipe.estimate(recipe, overrides=texts, progress=progress, **asked)
            click.echo(measured)
            json_out.give({"seconds": measured.seconds, **measured.to_dict()})
            return
        run = train_recipe.train(recipe, overrides=texts, progress=progress, **chosen)
    except Interrupted as stopped:
        if is_first() and not estimate:
            click.echo(
                "stopped; the state is saved. Go on with: promptreid train --resume --out "
                f"{stopped}",
                err=True,
            )
        raise click.Abort from None
    if is_first():
        from promptreid.runs.run_folder import RunFolder

        folder = RunFolder.open(run.path)
        print_run_scores(folder)
        json_out.give(run_record(folder))


@contextlib.contextmanager
def _mistakes_told_by_first() -> Generator[None]:
    """Let the first process tell what all find alike, in the command line and the shared files."""
    try:
        yield
    except PromptReIDError as error:
        if is_first():
            raise
        raise ToldElsewhereError(str(error)) from error


def _check_estimate(*, estimate: bool, resume: bool) -> None:
    """Refuse what --estimate cannot measure; raises ConfigError."""
    if estimate and resume:
        raise ConfigError("--estimate measures a run from its start; leave out --resume.")
    if estimate and count_processes() > 1:
        raise ConfigError("--estimate measures one process; start it without torchrun.")
