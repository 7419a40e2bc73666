"""`promptreid bench`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptreid.cli import options
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.errors import ConfigError

if TYPE_CHECKING:
    from benchmarks.compare import Outcome, Settings


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@json_option
@click.option("--quick", is_flag=True, help="Small sizes: does it work? The times mean nothing.")
@options.threads(
    "Threads that a processor computes with, on both sides.  [default: the cores this process may "
    "use]"
)
@options.device
def bench(
    names: tuple[str, ...],
    json_out: JsonOut,
    quick: bool,
    threads: int | None,
    device: str | None,
) -> None:
    """Measure speed side by side: plain formulations and ours, with equal results.

    NAME is one or more of prompt-step, image-step, products, embed, decode, feed, augment, ranking,
    rerank, gallery-search, tar-at-far and start; without one, all of these run (about a quarter of
    an hour on two cores, with up to 12 GB of memory). Both sides of a row run in turns in this
    process, on the same inputs, and their results are compared. The command fails when they differ
    by more than is allowed, and when ours is slower than the plain formulation in every round.

    growth is a table of its own: time and memory for galleries of a thousand to a million images,
    and for a hundred to a hundred thousand identities (a few minutes, up to 8 GB).

    \b
    promptreid bench
    promptreid bench ranking decode --json speed.json
    promptreid bench growth
    promptreid bench --quick
    """  # noqa: D301 - click reads the \b itself
    _reach_benchmarks()
    from benchmarks.table import check_names

    wanted = check_names(names)
    from benchmarks.compare import Settings

    from promptreid.inference.device import pick_device
    from promptreid.processor import count_cores

    settings = Settings(quick=quick, threads=threads or count_cores(), device=pick_device(device))
    _run(wanted, settings, json_out)


def _reach_benchmarks() -> None:
    """Make the benchmarks importable: they lie beside the sources, not in the package.

    Raises:
        ConfigError: This is an installed package without them.
    """
    checkout = Path(__file__).parents[3]
    if not (checkout / "benchmarks" / "table.py").is_file():
        raise ConfigError(
            "The benchmarks come with the source code and not with the installed package: they are "
            f"looked for in {checkout / 'benchmarks'}. Unpack the source distribution or a clone, "
            "and run `make bench` there."
        )
    if str(checkout) not in sys.path:
        sys.path.append(str(checkout))


def _run(wanted: Sequence[str], settings: Settings, json_out: JsonOut) -> None:
    """Run benchmarks, print their tables, and keep the rows so far in a file."""
    from benchmarks.growth import GrowthRow, growth, growth_lines
    from benchmarks.table import GROWTH, failure_lines, note_lines, run_benchmark, table_lines

    outcomes: list[Outcome] = []
    grown: list[GrowthRow] = []

    def keep() -> None:
        rows = [*(outcome.row for outcome in outcomes), *grown]
        json_out.keep([row.to_dict() for row in rows])

    for name in wanted:
        if name == GROWTH:
            continue
        for outcome in run_benchmark(name, settings):
            outcomes.append(outcome)
            for line in note_lines(outcome):
                click.echo(line)
            keep()
    if outcomes:
        click.echo("\n".join(["", *table_lines(outcomes)]))
    if GROWTH in wanted:
        for row in growth(settings):
            grown.append(row)
            click.echo(f"{row.name} {row.size:,}: {row.seconds:.3g} s", err=True)
            keep()
        click.echo("\n".join(["", grown[0].device, *growth_lines(grown)]))
    problems = failure_lines(outcomes, quick=settings.quick)
    if problems:
        raise RuntimeError("; ".join(problems))
