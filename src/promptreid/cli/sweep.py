"""`promptreid sweep`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptreid.cli import options
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import reporter, started

if TYPE_CHECKING:
    from promptreid.sweeps.run_sweep import Outcome
    from promptreid.sweeps.sweep_plan import PlannedRun

_MANY_RUNS = 10


@click.command()
@click.argument("file", metavar="FILE")
@options.overrides
@options.data("Data set of every run, in place of those of the file; several give several domains.")
@options.data(
    "Data set to score on and not to learn from, in place of those of the file.",
    name="tests",
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
    specs: tuple[str, ...],
    tests: tuple[str, ...],
    out: Path | None,
    dry_run: bool,
    only: tuple[str, ...],
    seeds: tuple[int, ...],
    most_runs: int,
    device: str | None,
    unreadable: str,
    json_out: JsonOut,
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
    from promptreid.config.sweep import find_sweep, load_sweep

    path = find_sweep(file)
    with started(f"reading {path}"):
        from promptreid.sweeps.sweep_plan import count_runs, plan_sweep, select_runs
    out = out or Path("runs") / path.stem
    asked = load_sweep(path)
    seeds = tuple(dict.fromkeys(seeds))
    size = count_runs(asked, data=specs, seeds=seeds)
    if _MANY_RUNS < size.runs <= most_runs:  # checking them takes a while
        click.echo(f"{path.stem}: checking {size}", err=True)
    runs = plan_sweep(
        asked,
        beside=path.parent,
        out=out,
        data=specs,
        test=tests,
        overrides=overrides,
        seeds=seeds,
        most=most_runs,
    )
    chosen = select_runs(runs, only)
    progress = reporter()
    _announce(chosen, out, verbose=dry_run)
    with progress.doing("reading the data sets"):
        _check_data(chosen)
    if dry_run:
        json_out.give({"out": str(out), "runs": _state_records(chosen)})
        return
    outcomes = _train(
        runs,
        out=out,
        source=str(path),
        device=device,
        unreadable=unreadable,
        progress=progress,
        chosen=chosen,
    )
    table = _report(runs, out)
    ended = {name: outcome.to_dict() for name, outcome in outcomes.items()}
    json_out.give({"out": str(out), "runs": ended, "table": table})
    if _failures(outcomes, out):
        ctx.exit(1)


def _state_records(chosen: Sequence[PlannedRun]) -> list[dict[str, str]]:
    """Return runs that are planned, with their states, JSON-ready."""
    from promptreid.sweeps.run_state import read_state

    return [
        {"run": run.name, "recipe": run.resolved.name, "state": read_state(run).kind}
        for run in chosen
    ]


def _announce(chosen: Sequence[PlannedRun], out: Path, *, verbose: bool) -> None:
    """Say what will be trained; list it all for a dry run."""
    from collections import Counter

    from promptreid.sweeps.run_state import read_state
    from promptreid.text.lists import counted
    from promptreid.text.tables import plain_table

    states = {run.name: read_state(run) for run in chosen}
    counts = Counter(state.kind for state in states.values())
    states_text = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    size = f"{counted(len(chosen), 'run')} ({counted(len({r.group for r in chosen}), 'setting')})"
    click.echo(f"{size} in {out}: {states_text}", err=not verbose)
    if not verbose:
        return
    rows = [["run", "recipe", "state"]]
    rows += [[run.name, run.resolved.name, states[run.name].kind] for run in chosen]
    for line in plain_table(rows, right=[False] * 3):
        click.echo(line)
    for name, state in states.items():
        if state.note:
            click.echo(f"{name}: {state.note}")


def _check_data(chosen: Sequence[PlannedRun]) -> None:
    """Read the data sets of the runs that have something left to do, before any of them trains."""
    from promptreid.data.load_data import load_data
    from promptreid.sweeps.run_state import read_state

    open_runs = [run for run in chosen if read_state(run).kind in ("new", "unfinished")]
    for spec in dict.fromkeys(spec for run in open_runs for spec in run.data + run.test):
        load_data(spec)


def _train(runs: Sequence[PlannedRun], *, device: str | None, **how: Any) -> dict[str, Outcome]:
    """Train as `run_sweep` does; a stop ends the command."""
    from promptreid.inference.device import pick_device
    from promptreid.sweeps.run_sweep import run_sweep
    from promptreid.training.stage.stop_signals import Interrupted

    pick_device(device)
    try:
        return run_sweep(runs, device=device, **how)
    except Interrupted:
        click.echo("stopped; the state is saved, and the same command goes on from here", err=True)
        raise click.Abort from None


def _report(runs: Sequence[PlannedRun], out: Path) -> dict[str, Any] | None:
    """Print, write and return the table of the runs that are as the sweep asks for."""
    from promptreid.cli.compare import print_comparison
    from promptreid.sweeps.comparison import compare_runs
    from promptreid.sweeps.export import comparison_record, write_comparison
    from promptreid.sweeps.run_results import read_runs
    from promptreid.sweeps.run_state import read_state

    kinds = ("complete", "unfinished")
    records = read_runs([run.out for run in runs if read_state(run).kind in kinds])
    if all(record.problem for record in records):
        click.echo("no run has scores, so there is no table", err=True)
        return None
    comparison = compare_runs(records)
    click.echo()
    print_comparison(comparison)
    for suffix in ("md", "csv", "json"):
        write_comparison(comparison, out / f"table.{suffix}")
    click.echo(f"wrote {out}/table.md, .csv and .json")
    return comparison_record(comparison)


def _failures(outcomes: dict[str, Outcome], out: Path) -> bool:
    """List what failed, runs of one cause together; tell whether anything did."""
    causes: dict[str, list[str]] = {}
    for name, outcome in outcomes.items():
        if outcome.error:
            causes.setdefault(outcome.error, []).append(name)
    if not causes:
        return False
    count = sum(map(len, causes.values()))
    click.echo(f"\n{count} of {len(outcomes)} runs are not there:", err=True)
    for error, names in causes.items():
        click.echo(f"  {', '.join(names)}: {error}", err=True)
    if any(outcome.status == "failed" for outcome in outcomes.values()):
        click.echo("The same command tries those that failed again.", err=True)
    if any(outcome.details for outcome in outcomes.values()):
        click.echo(f"Tracebacks are in {out / 'sweep.json'}.", err=True)
    return True
