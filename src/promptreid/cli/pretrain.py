"""`promptreid pretrain`."""

from __future__ import annotations

from pathlib import Path

import click

from promptreid.cli import options
from promptreid.cli.json_out import JsonOut, json_option


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("tiny.safetensors"),
    show_default=True,
    help="Weights file to write.",
)
@click.option(
    "--corpus",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/corpus"),
    show_default=True,
    help="Folder of rendered pictures; rendered when it is missing.",
)
@click.option(
    "--hands", type=click.IntRange(0), default=2400, show_default=True, help="Hand identities."
)
@click.option(
    "--people", type=click.IntRange(0), default=1600, show_default=True, help="Person identities."
)
@click.option(
    "--images", type=click.IntRange(1), default=8, show_default=True, help="Pictures of each."
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="Passes over all pictures.",
)
@click.option(
    "--batch-size",
    "batch",
    type=click.IntRange(2),
    default=256,
    show_default=True,
    help="Pairs of picture and sentence in a batch.",
)
@click.option("--lr", type=float, default=1e-3, show_default=True, help="Learning rate.")
@options.seeded
@options.workers
@options.device
@json_option
def pretrain(
    out: Path,
    corpus: Path,
    hands: int,
    people: int,
    images: int,
    epochs: int,
    batch: int,
    lr: float,
    seed: int,
    workers: int | None,
    device: str | None,
    json_out: JsonOut,
) -> None:
    """Make the weights of `tiny` anew, from rendered pictures and captions of their attributes."""
    from promptreid.inference.device import pick_device, resolve_precision
    from promptreid.inference.run_context import RunContext
    from promptreid.models.weights.tiny import NATIVE
    from promptreid.processor import count_cores
    from promptreid.progress import Lines
    from promptreid.progress.counted_task import RenderedCount
    from promptreid.synth.corpus import CorpusPlan, render_corpus
    from promptreid.training.run.pretrain import PretrainSettings
    from promptreid.training.run.pretrain import pretrain as run

    lines = Lines()
    plan = CorpusPlan(
        hands=hands, people=people, images=images, size=NATIVE.image_size[0], seed=seed
    )
    with RenderedCount(lines, "rendering", "images") as count:
        pictures = render_corpus(corpus, plan, workers=workers or count_cores(), progress=count)
    where = pick_device(device)
    measured = run(
        pictures.pixels,
        pictures.captions,
        out,
        PretrainSettings(epochs=epochs, batch=batch, lr=lr, seed=seed),
        context=RunContext(where, resolve_precision("auto", where), progress=lines),
    )
    click.echo(
        f"wrote {out}; loss {measured['loss']:.3f}, held-out recall@1 of {measured['pairs']:.0f}: "
        f"image to text {measured['i2t']:.1%}, text to image {measured['t2i']:.1%}"
    )
    json_out.give({"weights": str(out), **measured})
