"""`promptreid data`."""

from __future__ import annotations

from pathlib import Path

import click

from promptreid.cli import options
from promptreid.cli.described_group import DescribedGroup
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import headline, reporter


@click.group(cls=DescribedGroup)
def data() -> None:
    """Inspect data sets, write them out, render synthetic ones."""


@data.command("list")
@json_option
def list_command(json_out: JsonOut) -> None:
    """List the data sets that can be read, and the options of each."""
    from promptreid.actions.datasets.data_listing import list_data

    listed = list_data()
    for entry in () if json_out.to_standard_output else listed:
        headline(entry.name)
        for line in listed.lines(entry):
            click.echo(line)
    json_out.give(listed.to_dicts())


@data.command()
@click.argument("spec", metavar=options.SPEC, shell_complete=options.offers("specs"))
@json_option
@click.option("--quick", is_flag=True, help="Do not open the images.")
@click.pass_context
def inspect(ctx: click.Context, spec: str, json_out: JsonOut, quick: bool) -> None:
    """Count and check a data set. Exit code: 0 usable, 2 not.

    Prints identities, images and cameras of each split, images per identity, unreadable and
    duplicate files, and queries that can have no match and why.
    """
    progress = reporter()
    progress.message(f"reading {spec}")
    with progress.doing(f"reading {spec}"):
        from promptreid.actions.datasets.loaded_data import load_data

        inspection = load_data(spec).inspect(quick=quick, progress=progress)
    if not json_out.to_standard_output:
        click.echo(inspection)
    json_out.give(inspection.to_dict())
    ctx.exit(0 if inspection.ok else 2)


@data.command()
@click.argument("spec", metavar="'NAME:ROOT[?key=value&...]'")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--layout",
    type=click.Choice(["market1501", "csv", "folders"]),
    required=True,
    help="market1501 for other re-ID code; csv keeps all that is known; folders, one an identity.",
)
@click.option("--wide", is_flag=True, help="In market1501, allow cameras of two digits.")
@click.option(
    "--cameras-apart",
    is_flag=True,
    help="In market1501, where no camera is known, write queries as of camera 1 and the gallery as "
    "of camera 2, so that tools which ignore a query's own camera score all pairs.",
)
@options.unreadable
@json_option
def export(
    spec: str,
    out: Path,
    layout: str,
    wide: bool,
    cameras_apart: bool,
    unreadable: str,
    json_out: JsonOut,
) -> None:
    """Write a data set into the new folder OUT, in a layout that other tools read.

    Whole pictures are copied byte for byte; images that are boxes are cut out. OUT appears when all
    of it is written, and is never overwritten.
    """
    progress = reporter()
    progress.message(f"reading {spec}")
    with progress.doing(f"reading {spec}"):
        from promptreid.actions.datasets.loaded_data import load_data

        dataset = load_data(spec)
    written = dataset.export(
        out,
        layout=layout,
        wide=wide,
        cameras_apart=cameras_apart,
        unreadable=unreadable,
        progress=progress,
    )
    if not json_out.to_standard_output:
        click.echo(written)
    json_out.give(written.to_dict())


@data.command()
@click.option("--clear", is_flag=True, help="Erase them, but for those being written right now.")
@json_option
def cache(json_out: JsonOut, clear: bool) -> None:
    """Show what is kept on disk to be faster, or erase it: pixels, vectors and frames.

    Pixels are kept when they do not fit into memory, and those of photographs always, so that the
    next epoch and the next run need not decode them again. The environment variable
    PROMPTREID_PIXEL_CACHE_GIB says how many GiB are kept (20 by default, 0 for none). Of folders
    that `promptreid search` looked through, vectors are kept, and of what figures, reports and runs
    embedded, 4 GiB each; of videos the frames that were read, without a limit.
    """
    from promptreid.actions.datasets.disk_cache import data_cache

    kept = data_cache(clear=clear)
    if not json_out.to_standard_output:
        click.echo(kept)
    json_out.give(kept.to_dict())


@data.command()
@click.argument("kind", type=click.Choice(["hands", "people"]))
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--identities",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Individuals to render.",
)
@options.seeded
@click.option(
    "--size",
    type=click.IntRange(32),
    default=None,
    help="Height of the pictures in pixels.  [default: 224 for hands, 128 for people]",
)
@click.option("--cameras", type=click.IntRange(1), default=6, show_default=True, help="Of people.")
@click.option(
    "--domain",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of people: which visually distinct place.",
)
@options.workers
@json_option
def synth(
    kind: str,
    out: Path,
    identities: int,
    seed: int,
    size: int | None,
    cameras: int,
    domain: int,
    workers: int | None,
    json_out: JsonOut,
) -> None:
    """Render a synthetic data set into OUT; the same seed gives the same bytes.

    Hands come in the layout of 11k Hands with HandInfo.csv, people in the layout of Market-1501.
    """
    from promptreid.actions.datasets.render_data import synth_data

    made = synth_data(
        kind,
        out,
        identities=identities,
        seed=seed,
        size=size,
        cameras=cameras,
        domain=domain,
        workers=workers,
        progress=reporter(),
    )
    click.echo(f"rendered {identities} identities into {out}; read them as '{made.spec}'")
    json_out.give({"data": made.spec, "identities": identities})
