"""`promptreid compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptreid.cli import options
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.evaluation.metrics import METRICS

if TYPE_CHECKING:
    from promptreid.sweeps.comparison_rows import RunComparison

METRIC_KEYS = click.Choice([metric.key for metric in METRICS.values()])


@click.command()
@options.runs
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    type=METRIC_KEYS,
    help="Score to show; may be given several times.  [default: mAP, rank1, rank5]",
)
@click.option("--sort", type=METRIC_KEYS, help="Best first by this score.")
@click.option(
    "--seeds",
    type=click.Choice(["together", "apart"]),
    default="together",
    show_default=True,
    help="Whether runs that differ only by seed share a row (mean and deviation over them).",
)
@click.option(
    "--out",
    "files",
    multiple=True,
    metavar="FILE.{md,csv,json}",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the table here, with every setting that differs; may be given several times.",
)
@json_option
def compare(
    runs: tuple[Path, ...],
    metrics: tuple[str, ...],
    sort: str | None,
    seeds: str,
    files: tuple[Path, ...],
    json_out: JsonOut,
) -> None:
    """Set runs side by side: the settings that differ, and the scores.

    RUN is a run folder, or a folder that holds some, such as that of a sweep. Runs that differ only
    by seed are one row, with mean and standard deviation over the seeds; a run alone has the
    deviation over the draws of its protocol. Runs that are not finished are named below the table,
    and so is all that keeps scores from being compared.

    \b
    promptreid compare runs/a runs/b
    promptreid compare runs/my-sweep --metric mAP --metric rank1 --sort mAP
    promptreid compare runs/my-sweep --out table.md --out table.csv
    """  # noqa: D301 - click reads the \b itself
    from promptreid.actions import compare_scores
    from promptreid.sweeps.comparison import DEFAULT_METRICS
    from promptreid.sweeps.export import check_suffix, comparison_record

    for file in files:
        check_suffix(file)
    compared = compare_scores.compare(
        *runs, metrics=metrics or DEFAULT_METRICS, sort=sort, seeds=seeds
    )
    print_comparison(compared.table)
    for file in files:
        click.echo(f"wrote {compared.write(file)}")
    json_out.give(comparison_record(compared.table))


def print_comparison(comparison: RunComparison) -> None:
    """Print a comparison: with rules and bold type on a terminal, as plain lines elsewhere."""
    import shutil
    import sys

    from promptreid.sweeps.comparison_table import comparison_text

    if not sys.stdout.isatty():
        click.echo(comparison_text(comparison))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from promptreid.sweeps.comparison_table import lay_out, notes
    from promptreid.text.safe import visible
    from promptreid.text.streams import unguarded

    width = shutil.get_terminal_size().columns
    layout = lay_out(comparison, width=width - 2)
    table = Table(
        box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold", show_edge=False
    )
    for heading, right in zip(layout.header, layout.right, strict=True):
        table.add_column(Text(visible(heading)), justify="right" if right else "left", no_wrap=True)
    for place, row in enumerate(layout.rows):
        cells = [
            Text(visible(cell), style="bold green" if (place, column) in layout.best else "")
            for column, cell in enumerate(row)
        ]
        table.add_row(*cells)
    # A table that is too wide is left for the terminal to wrap: no name or score is cut off.
    terminal = unguarded(sys.stdout)
    Console(file=terminal, width=max(width, 400)).print(table, crop=False)
    console = Console(file=terminal, width=width)
    for line in (*layout.settings, "", *notes(comparison, width=width)):
        style = "yellow" if line.startswith("Beware:") else None
        console.print(Text(visible(line)), style=style)
