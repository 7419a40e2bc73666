"""`promptreid figure`."""

from __future__ import annotations

import click

from promptreid.cli.described_group import DescribedGroup
from promptreid.cli.figures import layout_commands, score_commands
from promptreid.cli.figures.figure_command import draws_images, draws_runs
from promptreid.cli.options import pixelated, seeded


@click.group(cls=DescribedGroup)
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
@draws_images
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
@click.option(
    "--images",
    type=click.IntRange(1, 12),
    default=6,
    show_default=True,
    help="Test images to show, drawn by the seed.",
)
def activation() -> None:
    """Test images, and below them where each run looks.

    Maps of one kind share a colour scale, over all images and runs; 1 is uniform attention.
    Attention shows where a model looks, not why it decides. The line runs where the scale is
    half way up.
    """


@figure.command()
@draws_runs
def curves() -> None:
    """Learning curves: loss, validation and learning rate by stage.

    One run is shown with all terms of its loss, before their weights, and all validation scores;
    several runs with loss and mAP. A star is where validation chose the weights to keep.
    """


for _command in (*layout_commands.COMMANDS, *score_commands.COMMANDS):
    figure.add_command(_command)
