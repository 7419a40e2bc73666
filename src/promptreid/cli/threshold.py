"""`promptreid threshold`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from promptreid.cli import options
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import reporter, started
from promptreid.text.wrap import wrapped


@click.command()
@options.model
@options.one_data("Images of known identities; those that the run was trained on are left out.")
@click.option(
    "--far",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of pairs of strangers that may be accepted.  [default: 0.001, or as few of 0.01 "
    "and 0.1 as the pairs can measure]",
)
@click.option(
    "--images",
    "most",
    type=click.IntRange(2),
    default=5000,
    show_default=True,
    help="Images to use at most; of more, so many are drawn by chance.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the checkpoint here, with its threshold.  [default: into the run]",
)
@json_option
@options.device
@options.unreadable
def threshold(
    model: Path,
    spec: str,
    far: float | None,
    most: int,
    out: Path | None,
    json_out: JsonOut,
    device: str | None,
    unreadable: str,
) -> None:
    """Choose from which score on two images show one identity, and keep that with the run.

    All pairs of images of different identities are scored; the threshold is the lowest score that
    accepts no larger share of them than --far. The run's checkpoint is replaced in one step and
    otherwise stays what it was.

    \b
    promptreid threshold runs/mine --data folder:/data/visitors
    promptreid threshold runs/market --data market1501:/data/Market --far 0.0001
    """  # noqa: D301 - click reads the \b itself
    from promptreid.data.data_spec import parse_spec
    from promptreid.errors import WeightsError

    parse_spec(spec)
    if out is not None and out.suffix != ".safetensors":
        raise WeightsError(f"--out {out} is to be a checkpoint; end its name with .safetensors.")
    with started(f"reading {spec}"):
        from promptreid.actions import choose_run_threshold
        from promptreid.runs.run_folder import RunFolder

    chosen = choose_run_threshold.threshold(
        model,
        spec,
        far=far,
        images=most,
        out=out,
        device=device,
        unreadable=unreadable,
        progress=reporter(),
    )
    click.echo(wrapped(str(chosen)))
    click.echo(f"stored in {out or RunFolder.checkpoint_of(model)}")
    json_out.give({**chosen.to_dict(), "model": str(model), "data": spec})
    shown = shlex.quote(str(model if out is None else out))
    click.echo(f"try it:  promptreid same {shown} A.jpg B.jpg")
