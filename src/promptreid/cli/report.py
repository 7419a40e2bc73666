"""`promptreid report`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from promptreid.cli import options
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import reporter, started
from promptreid.text.lists import listed


@click.command()
@options.runs
@options.data("Data set to score on; may be given several times.  [default: the runs' own]")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.html",
    help="Where the page goes; an earlier one is replaced.  [default: report.html in the folder of "
    "the run if there is one run, else here]",
)
@options.run_names
@click.option("--title", default="", help="Of the page.  [default: names the runs]")
@click.option(
    "--by",
    multiple=True,
    metavar="ATTRIBUTE",
    help="Break scores down by an attribute, by camera, view or domain, or by pairs of values of "
    "query and gallery (camera-pair); may be given several times.  [default: up to four with 2 to "
    "12 values]",
)
@click.option(
    "--map",
    type=click.Choice(["tsne", "umap", "pca"]),
    default="tsne",
    show_default=True,
    help="How embeddings are laid out in the plane.",
)
@options.pixelated
@options.seeded
@options.device
@options.unreadable
@options.embedding
@json_option
def report(runs: tuple[Path, ...], specs: tuple[str, ...], json_out: JsonOut, **how: Any) -> None:
    """Write all evidence on runs into one HTML file that needs nothing else; extra `report`.

    What was run and on which data, learning curves, scores with 95 % intervals, verification, rank
    lists, where the models look, maps of embeddings, breakdowns and queries without a match. With
    several runs: side by side, with paired differences to the first.

    \b
    promptreid report runs/my-run
    promptreid report runs/zero-shot runs/clip-reid --data SPEC --out both.html
    promptreid report runs/my-run --by gender --by skinColor --pixelate --map pca
    """  # noqa: D301 - click reads the \b itself
    # The first word comes before the checks: where a run has many images, they take seconds.
    with started(f"reading {listed([str(run) for run in runs])}"):
        from promptreid.actions.run_data_specs import find_run_data
        from promptreid.data.data_spec import parse_spec
        from promptreid.figures.extra import need

        specs = specs or find_run_data(runs)
        for spec in specs:
            parse_spec(spec)
        need("matplotlib")
        need("jinja2")
        from promptreid.actions import write_report

    page = write_report.report(*runs, data=specs, progress=reporter(), **how)
    click.echo(page)
    json_out.give({"report": str(page.path), "bytes": page.size, "tests": page.best_scores()})
