"""`promptreid data`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from promptreid.cli import options
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import headline, reporter
from promptreid.text.wrap import indented, wrapped


@click.group()
def data() -> None:
    """Inspect data sets, write them out, render synthetic ones."""


@data.command("list")
@json_option
def list_command(json_out: JsonOut) -> None:
    """List the data sets that can be read, and the options of each."""
    from promptreid.data.load_data import data_options
    from promptreid.data.reader_registry import READERS

    listed = {name: [asdict(option) for option in data_options(name)] for name in READERS}
    for name, entry in () if json_out.to_standard_output else READERS.items():
        headline(name)
        for text in filter(None, (entry.description, entry.source)):
            click.echo(indented(text, "    "))
        for option in data_options(name):
            text = f"?{option.name}={option.allowed}  {option.description}"
            click.echo(indented(text, "      ", first="    "))
    json_out.give([{**asdict(READERS[name]), "options": told} for name, told in listed.items()])


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
    with progress.doing(f"reading {spec}" if quick else f"looking at the images of {spec}"):
        from promptreid.data.inspection.inspect import inspect_data, render_text
        from promptreid.data.load_data import load_data

        inspection = inspect_data(load_data(spec), check_images=not quick)
    if not json_out.to_standard_output:
        click.echo(wrapped(render_text(inspection)))
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
    with progress.doing(f"reading {spec}"):
        from promptreid.data.images.readable import load_shown
        from promptreid.data.layouts.export_data import export_data

        dataset = load_shown(spec, policy=unreadable, progress=progress)
    written = export_data(
        dataset, out, layout=layout, wide=wide, apart=cameras_apart, progress=progress
    )
    if not json_out.to_standard_output:
        for note in written.notes:
            click.echo(wrapped(note))
        click.echo(
            f"wrote {written.images:,} images of {written.identities:,} identities into {out}; "
            f"read them as '{written.spec}'"
        )
    json_out.give(
        {
            "folder": str(written.folder),
            "spec": written.spec,
            "images": written.images,
            "identities": written.identities,
            "copied": written.copied,
            "notes": list(written.notes),
        }
    )


@data.command()
@click.option("--clear", is_flag=True, help="Erase them, but for those being written right now.")
@json_option
def cache(json_out: JsonOut, clear: bool) -> None:
    """Show what is kept on disk to be faster, or erase it: pixels, frames and searched folders.

    Pixels are kept when they do not fit into memory, and those of photographs always, so that the
    next epoch and the next run need not decode them again. The environment variable
    PROMPTREID_PIXEL_CACHE_GIB says how many GiB are kept (20 by default, 0 for none). Of folders
    that `promptreid search` looked through, vectors are kept, and of videos the frames that were
    read, without a limit.
    """
    from promptreid.data.pixel_cache.cache_folder import default_pixel_folder
    from promptreid.data.videos.kept_frames import clear_frames, count_frames, default_frame_cache
    from promptreid.gallery.picture_folders.search_cache import (
        LIMIT,
        clear_cached,
        count_cached,
        default_search_cache,
    )

    folder = default_pixel_folder()
    path, limit, erased, used = None, 0, 0, 0
    if folder is not None:
        erased = folder.clear() if clear else 0
        path, limit, used = str(folder.path), folder.limit, folder.used()
    searched = default_search_cache()
    freed = clear_cached(searched) if clear else 0
    vectors = count_cached(searched)
    frames = default_frame_cache()
    released = clear_frames(frames) if clear else 0
    pictures = count_frames(frames)
    if not json_out.to_standard_output:
        if clear:
            click.echo(
                f"erased {erased / 2**20:,.0f} MiB of pixels, {freed / 2**20:,.0f} MiB of "
                f"searched folders and {released / 2**20:,.0f} MiB of frames of videos"
            )
        click.echo(
            "no pixels are kept on disk"
            if path is None
            else f"{path} holds {used / 2**20:,.0f} MiB of at most {limit / 2**20:,.0f} MiB"
        )
        click.echo(
            f"{searched} holds {vectors / 2**20:,.0f} MiB of at most {LIMIT / 2**20:,.0f} MiB of "
            "searched folders"
        )
        click.echo(f"{frames} holds {pictures / 2**20:,.0f} MiB of frames of videos")
    json_out.give(
        {
            "folder": path,
            "bytes": used,
            "limit": limit,
            "erased": erased,
            "searched": {
                "folder": str(searched), "bytes": vectors, "limit": LIMIT, "erased": freed
            },
            "frames": {"folder": str(frames), "bytes": pictures, "erased": released},
        }
    )  # fmt: skip


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
    import os

    from promptreid.progress import Lines
    from promptreid.progress.counted_task import RenderedCount

    processes = workers or os.cpu_count() or 1
    with RenderedCount(Lines(), f"rendering {kind}", "identities") as count:
        if kind == "hands":
            from promptreid.synth.hands.hands import write_hands

            write_hands(
                out,
                identities=identities,
                seed=seed,
                size=size or 224,
                workers=processes,
                progress=count,
            )
            spec = f"hands11k:{out}?aspect=dorsal_right"
        else:
            from promptreid.synth.people.people import write_people

            height = size or 128
            write_people(
                out,
                identities=identities,
                seed=seed,
                cameras=cameras,
                domain_index=domain,
                size=(height, height // 2),
                workers=processes,
                progress=count,
            )
            spec = f"market1501:{out}"
    click.echo(f"rendered {identities} identities into {out}; read them as '{spec}'")
    json_out.give({"data": spec, "identities": identities})
