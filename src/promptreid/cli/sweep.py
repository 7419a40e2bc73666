"""`promptreid sweep`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from promptreid.cli import options
from promptreid.cli.compare import print_comparison
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import reporter, started


@click.command()
@click.argument("file", metavar="FILE")
@options.overrides
@options.data(
    "Data set of every run, in place of those of the file; several give several domains.",
    name="data",
)
@options.data(
    "Data set to score on and not to learn from, in place of those of the file.",
    name="test",
    option="--test",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of the runs.  [default: runs/ and the name of the file]",
)
@click.option("--dry-run", is_flag=True, help="Check everything and list the runs; train nothing.")
@click.option(
    "--only",
    multiple=True,
    metavar="NAME",
    help="Train these runs only, by the names --dry-run shows, without the seed if all are meant; "
    "* stands for anything.",
)
@click.option(
    "--seed",
    "seeds",
    multiple=True,
    type=click.IntRange(0),
    help="Seed of every run, in place of those of the file; several train every run several times.",
)
@click.option(
    "--most-runs",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Refuse a sweep of more runs than this.",
)
@options.device
@options.unreadable
@json_option
@click.pass_context
def sweep(
    ctx: click.Context,
    file: str,
    overrides: tuple[str, ...],
    dry_run: bool,
    json_out: JsonOut,
    **how: Any,
) -> None:
    """Train every run of a sweep file into a folder each, and compare them.

    FILE is YAML, or the name of a sweep in the package, such as hand-study. Every run x every
    combination of the grid x every seed is trained; either of runs and grid may be missing. With
    over: each there is a run for each data set, trained on it alone; with over: others a run for
    each, trained on all the others. What a run does not learn from, it is tested on:

    \b
    recipe: clip-reid/tiny
    data: [folder:/data/crops]
    seeds: [0, 1]
    set: [stages.image.epochs=10]
    grid: {stages.image.optimizer.lr: [1e-4, 5e-4]}
    runs:
      plain: {}
      no-triplet: {set: [stages.image.losses.triplet=0]}

    In values, {out} is the sweep's folder and {seed} the seed, so that a run can start from an
    earlier one: start.checkpoint={out}/plain_seed{seed}.

    Everything is checked before anything trains. Stopped, the same command goes on where it was;
    what is complete is not trained again. A run that fails does not stop the others. At the end the
    table of `promptreid compare` is printed, and written to table.md, table.csv and table.json.
    [KEY=VALUE] overrides win over the file in all runs.

    \b
    promptreid sweep study.yaml --dry-run
    promptreid sweep study.yaml
    promptreid sweep study.yaml --only plain --only 'no-triplet_*'
    """  # noqa: D301 - click reads the \b itself
    from promptreid.config.sweep import find_sweep

    with started(f"reading {find_sweep(file)}"):
        from promptreid.actions import train_sweep
        from promptreid.training.stage.stop_signals import Interrupted
    try:
        swept = train_sweep.sweep(
            file,
            overrides,
            dry_run=dry_run,
            progress=reporter(),
            **how,
        )
    except Interrupted:
        click.echo("stopped; the state is saved, and the same command goes on from here", err=True)
        raise click.Abort from None
    if dry_run:
        click.echo(swept)
    elif swept.compared is not None:
        click.echo()
        print_comparison(swept.compared.table)
        click.echo(swept.tables_text())
    json_out.give(swept.to_dict())
    if swept.failed:
        click.echo(f"\n{swept.failure_text()}", err=True)
        ctx.exit(1)
