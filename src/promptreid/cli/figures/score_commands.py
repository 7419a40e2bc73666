"""Commands of `promptreid figure` that rank or compare test images."""

from __future__ import annotations

import click

from promptreid.cli.figures.figure_command import draws_embeddings
from promptreid.cli.options import pixelated, seeded


@click.command()
@draws_embeddings
@click.option(
    "--ranks",
    type=click.IntRange(2, 50),
    default=20,
    show_default=True,
    help="Length of the curves.",
)
def cmc() -> None:
    """CMC curve of each run: the share of queries with a match within rank 1, 2, ...

    By the data set's protocol, and with what each run's recipe does to embeddings. Where the
    protocol has several repeats, the band is one standard deviation around their mean.
    """


@click.command()
@draws_embeddings
@seeded
@click.option(
    "--which",
    type=click.Choice(["worst", "best", "median", "random"]),
    default="worst",
    show_default=True,
    help="Queries to show, by average precision.",
)
@click.option(
    "--queries",
    type=click.IntRange(1, 40),
    default=6,
    show_default=True,
    help="How many of them.",
)
@click.option(
    "--top",
    type=click.IntRange(1, 30),
    default=10,
    show_default=True,
    help="Gallery images to show for each.",
)
@pixelated
def ranks() -> None:
    """Rank lists: queries, and the gallery images that each run puts first.

    True matches have a tick and a solid frame, others a cross and a dashed one; the rank of the
    first true match stands at the end, with its picture if the list ends before. Images that do not
    count, such as those of the query's own camera, are left out. Several runs show the same queries
    below each other, chosen by their mean average precision.
    """


@click.command()
@draws_embeddings
def histogram() -> None:
    """Cosine similarity of pairs of one identity and of different identities, one panel a run.

    All pairs of query and gallery that count, in blocks. The upright line is the threshold of the
    equal error rate.
    """


@click.command()
@draws_embeddings
def roc() -> None:
    """ROC curves: true accepts over false accepts, with the thresholds for FAR 0.1, 0.01, ...

    All pairs of query and gallery that count, by cosine; re-ranking plays no part.
    """


@click.command()
@draws_embeddings
def det() -> None:
    """DET curves: false rejects over false accepts on normal deviate axes.

    All pairs of query and gallery that count, by cosine; re-ranking plays no part.
    """


COMMANDS = (cmc, ranks, histogram, roc, det)
