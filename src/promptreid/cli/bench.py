"""`promptreid bench`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--json",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the rows here.",
)
@click.option("--quick", is_flag=True, help="Small sizes: does it work? The times mean nothing.")
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Processor threads of both sides.  [default: the cores this process may use]",
)
@click.option("--device", help="Where models run, such as cuda or cpu.  [default: the best]")
def bench(
    names: tuple[str, ...],
    file: Path | None,
    quick: bool,
    threads: int | None,
    device: str | None,
) -> None:
    """Measure speed side by side: plain formulations and ours, with equal results.

    NAME is one or more of prompt-step, image-step, embed, decode, ranking, rerank, tar-at-far and
    start; without one, all run (about a quarter of an hour on two cores, with up to 12 GB of
    memory). Both sides of a row run in turns in this process, on the same inputs, and their results
    are compared; the command fails when they differ by more than is allowed.

    \b
    promptreid bench
    promptreid bench ranking decode --json speed.json
    promptreid bench --quick
    """  # noqa: D301 - click reads the \b itself
    from promptreid.bench.table import check_names, note_lines, run_benchmark, table_lines

    wanted = check_names(names)
    from promptreid.bench.compare import Outcome, Settings, default_cores
    from promptreid.files import write_json
    from promptreid.training.device import pick_device

    settings = Settings(quick=quick, threads=threads or default_cores(), device=pick_device(device))
    outcomes: list[Outcome] = []
    for name in wanted:
        for outcome in run_benchmark(name, settings):
            outcomes.append(outcome)
            for line in note_lines(outcome):
                click.echo(line)
            if file is not None:
                write_json(file, [outcome.row.to_dict() for outcome in outcomes])
    click.echo("")
    for line in table_lines(outcomes):
        click.echo(line)
    differing = [outcome.row.name for outcome in outcomes if not outcome.agrees]
    if differing:
        raise RuntimeError(f"results differ by more than is allowed: {', '.join(differing)}")
