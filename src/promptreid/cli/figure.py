"""`promptreid figure`."""

from __future__ import annotations

from pathlib import Path

import click

from promptreid.cli import figure_layouts, figure_scores
from promptreid.cli.figure_options import (
    check,
    drawing,
    loaded,
    of_images,
    of_runs,
    shown_data,
    write,
)
from promptreid.cli.options import pixelated, seeded


@click.group()
def figure() -> None:
    """Draw what runs have learned; needs the extra `report`.

    \b
    promptreid figure tsne runs/a runs/b --data SPEC --out tsne.png
    promptreid figure pca runs/zero-shot runs/clip-reid --data SPEC --out pca.png
    promptreid figure activation runs/clip-reid --data SPEC --out maps.png
    promptreid figure curves runs/clip-reid --out curves.png
    promptreid figure cmc runs/zero-shot runs/clip-reid --data SPEC --out cmc.svg
    promptreid figure ranks runs/a --data SPEC --which worst --out ranks.png
    """  # noqa: D301 - click reads the \b itself


@figure.command()
@of_images
@seeded
@pixelated
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(["auto", "rollout", "energy", "adapter", "text"]),
    help="rollout: what a transformer's features are made of; energy: how strong the last map is; "
    "adapter: where the adapter acts, with its strongest groups; text: what the sentence attends "
    "to. May be given several times.  [default: auto, by the model]",
)
@click.option("--images", type=click.IntRange(1, 12), default=6, show_default=True)
def activation(
    runs: tuple[Path, ...],
    spec: str,
    unreadable: str,
    out: Path,
    names: tuple[str, ...],
    seed: int,
    theme: str,
    device: str | None,
    kinds: tuple[str, ...],
    images: int,
    pixelate: bool,
) -> None:
    """Test images, and below them where each run looks.

    Maps of one kind share a colour scale, over all images and runs; 1 is uniform attention.
    Attention shows where a model looks, not why it decides. The line runs where the scale is
    half way up.
    """
    check(out, runs, names)
    with drawing(out):
        from promptreid.figures.activation.draw_activation import draw_activation
        from promptreid.figures.style import find_theme

        drawn = draw_activation(
            loaded(runs, names, device),
            shown_data(spec, unreadable, runs),
            kinds=kinds or ("auto",),
            images=images,
            seed=seed,
            pixelate=pixelate,
            theme=find_theme(theme),
        )
    write(drawn, out)


@figure.command()
@of_runs
def curves(runs: tuple[Path, ...], out: Path, names: tuple[str, ...], theme: str) -> None:
    """Learning curves: loss, validation and learning rate by stage.

    One run is shown with all terms of its loss, before their weights, and all validation scores;
    several runs with loss and mAP. A star is where validation chose the weights to keep.
    """
    check(out, runs, names)
    with drawing(out):
        from promptreid.figures.curves import draw_curves
        from promptreid.figures.style import find_theme
        from promptreid.text.names import run_names

        named = dict(zip(run_names(runs, names), runs, strict=True))
        drawn = draw_curves(named, theme=find_theme(theme))
    write(drawn, out)


for _command in (*figure_layouts.COMMANDS, *figure_scores.COMMANDS):
    figure.add_command(_command)
