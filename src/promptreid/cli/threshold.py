"""`promptreid threshold`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptreid.cli import options
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import reporter, started
from promptreid.text.wrap import wrapped

if TYPE_CHECKING:
    from promptreid.evaluation.thresholds.threshold import Threshold


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
        from promptreid.data.images.readable import load_readable
        from promptreid.inference.load import load
        from promptreid.training.thresholds.own_threshold import (
            brought_images,
            choose_on,
            store_threshold,
        )

    progress = reporter()
    dataset = load_readable(spec, policy=unreadable, progress=progress)
    embedder = load(model, device=device)
    images = brought_images(model, embedder, dataset, most=most)
    for note in images.notes:
        progress.message(note)
    chosen = choose_on(embedder, images, far=far, progress=progress)
    with progress.doing("writing the checkpoint"):
        stored = store_threshold(model, embedder, chosen, out=out)
    click.echo(wrapped(threshold_text(chosen)))
    click.echo(f"stored in {stored}")
    json_out.give({**chosen.to_dict(), "model": str(model), "data": spec})
    shown = shlex.quote(str(model if out is None else out))
    click.echo(f"try it:  promptreid same {shown} A.jpg B.jpg")


def threshold_text(chosen: Threshold) -> str:
    """Say in a few lines what a threshold is and what it rests on."""
    lines = [
        f"same identity from cosine {chosen.threshold:.4f} on",
        f"  accepts at most 1 in {round(1 / chosen.far):,} of the pairs of strangers",
    ]
    if chosen.far_interval is not None:
        low, high = chosen.far_interval
        lines.append(f"  with other identities {low:.2%} to {high:.2%} of them (95 % interval)")
    if chosen.tar is not None:
        lines.append(f"  finds {chosen.tar:.1%} of the {chosen.genuine:,} pairs of one identity")
    lines.append(
        f"  chosen on {chosen.pairs:,} pairs of {chosen.images:,} images of "
        f"{chosen.identities:,} identities:"
    )
    lines.append(f"  {chosen.source}")
    if chosen.people == "seen":
        lines.append("  the model was trained on them, so it accepts more of real strangers")
    if chosen.identities < 20:
        lines.append("  few identities: take it as a rough guide")
    return "\n".join(lines)
