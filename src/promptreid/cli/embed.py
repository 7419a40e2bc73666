"""`promptreid embed`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptreid.cli import options
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import reporter, started
from promptreid.errors import ConfigError
from promptreid.text.lists import counted
from promptreid.text.wrap import wrapped

if TYPE_CHECKING:
    from promptreid.inference.shards.embed_shards import ShardsDone


@click.command()
@options.model
@click.argument("spec", metavar="SPEC", shell_complete=options.offers("places"))
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--shard",
    metavar="I/N",
    help="Compute the I-th of N parts of the shards, counted from 0, as one job of an array.  "
    "[default: torchrun's part, else all]",
)
@click.option(
    "--ray",
    type=click.IntRange(1),
    metavar="N",
    help="Compute with N workers on Ray: the cluster at RAY_ADDRESS, else one on this machine.",
)
@click.option(
    "--shard-rows",
    type=click.IntRange(1),
    default=4096,
    show_default=True,
    help="Rows of the table in one file; a killed process loses less than so many.",
)
@options.batch_size
@click.option(
    "--flip/--no-flip",
    default=None,
    help="Average each embedding with that of the mirrored image.  [default: as in the recipe]",
)
@click.option(
    "--prompt",
    type=click.Choice(["composed", "simplified"]),
    help="Sentence of a model that has one for each image.  [default: as in the recipe]",
)
@options.precision(
    "Number type of the towers' matrices; auto takes 16 bits where device and backbone are made "
    "for them.",
    default="fp32",
)
@options.threads(
    "Threads that a processor computes with; they decide on the last bits of vectors.  "
    "[default: what the folder was begun with]"
)
@json_option
@options.device
@options.unreadable
def embed(model: Path, spec: str, out: Path, json_out: JsonOut, **how: Any) -> None:
    """Embed all images of SPEC into Parquet files in the folder OUT.

    SPEC is a data set, a folder of pictures, one picture, or packed pictures: tar:PLACE with files
    in the layout of WebDataset, parquet:PLACE with a column of bytes.

    Each file holds a range of rows: vectors, the columns of the data, and the SHA-256 of each
    image file. A command that was stopped or killed goes on where it was when it is given again.
    Several processes, on one machine or many, share the work; the files are the same bytes.

    \b
    promptreid embed runs/mine market1501:/data/Market vectors
    promptreid embed runs/mine /data/frames vectors --flip
    promptreid embed runs/mine 'tar:/data/crops-*.tar' vectors --shard 3/16
    promptreid embed runs/mine parquet:/data/crops vectors --ray 8
    torchrun --nproc-per-node 4 -m promptreid embed runs/a csv:a.csv vectors
    """  # noqa: D301 - click reads the \b itself
    from promptreid.inference.shards.shard_plan import WorkShare

    if how["shard"] is not None:
        WorkShare.parse(how["shard"])
        if how["ray"] is not None:
            raise ConfigError("Ray shares the work by itself; give --ray or --shard, not both.")
    with started(f"reading {spec}"):
        from promptreid.actions import embed_data

    done = embed_data.embed(model, spec, out, progress=reporter(), **how)
    click.echo(wrapped(_text(done, out)))
    json_out.give(
        {
            "folder": str(out),
            "images": done.images,
            "shards": len(done.done),
            "missing": done.missing,
            "unreadable": [row.to_dict() for row in done.unreadable],
        }
    )


def _text(done: ShardsDone, out: Path) -> str:
    from promptreid.inference.shards.embed_shards import MANIFEST_FILE, list_left_out

    lines = [
        f"{counted(done.images, 'image')} in {counted(len(done.done), 'shard')}, "
        f"{done.made:,} made by this command"
    ]
    if done.unreadable:
        lines.append(
            f"{counted(len(done.unreadable), 'image')} left out, which cannot be read:\n"
            f"{list_left_out(done.unreadable)}"
        )
    if done.missing:
        lines.append(f"{counted(done.missing, 'shard')} left for other processes")
    else:
        lines.append(f"complete: {out / MANIFEST_FILE} has the SHA-256 of each")
    return "\n".join(lines)
