"""Commands of `promptreid figure` that lay embeddings out in the plane."""

from __future__ import annotations

import click

from promptreid.cli.figures.figure_command import draws_embeddings
from promptreid.cli.options import seeded

_IDENTITIES = click.option(
    "--identities",
    type=click.IntRange(2, 35),
    default=8,
    show_default=True,
    help="How many to show, drawn by the seed.",
)


@click.command()
@draws_embeddings
@seeded
@_IDENTITIES
@click.option(
    "--perplexity",
    type=click.FloatRange(0, min_open=True),
    help="About the number of neighbours that count.  [default: the root of the number of images, "
    "5 to 30]",
)
def tsne() -> None:
    """t-SNE of the same test images under each run, one panel a run, identities in one look.

    Below each panel stands the mean distance within identities over that between them, measured in
    the embedding itself. Embeddings are kept by weights and images, so that a second figure is
    quick.
    """


@click.command()
@draws_embeddings
@seeded
@_IDENTITIES
@click.option(
    "--neighbours",
    type=click.IntRange(2),
    help="How many count as near.  [default: 15, or all there are]",
)
def umap() -> None:
    """UMAP of the same test images under each run; needs the extra `umap`.

    As tsne otherwise. The first call takes several seconds, in which umap-learn compiles itself.
    """


@click.command()
@draws_embeddings
@seeded
@_IDENTITIES
def pca() -> None:
    """Principal components of the same test images under each run.

    As tsne otherwise; below each panel also stands how much of the variance it shows.
    """


COMMANDS = (tsne, umap, pca)
