"""Commands of `promptreid figure` that rank or compare test images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from promptreid.cli.figure_options import (
    check,
    drawing,
    embedding_options,
    loaded,
    of_embeddings,
    shown_data,
    write,
)
from promptreid.cli.options import pixelated, seeded


@click.command()
@of_embeddings
@click.option(
    "--ranks",
    type=click.IntRange(2, 50),
    default=20,
    show_default=True,
    help="Length of the curves.",
)
def cmc(
    runs: tuple[Path, ...],
    spec: str,
    unreadable: str,
    out: Path,
    names: tuple[str, ...],
    theme: str,
    device: str | None,
    cache: Path | None,
    no_cache: bool,
    batch_size: int,
    ranks: int,
) -> None:
    """CMC curve of each run: the share of queries with a match within rank 1, 2, ...

    By the data set's protocol, and with what each run's recipe does to embeddings. Where the
    protocol has several repeats, the band is one standard deviation around their mean.
    """
    check(out, runs, names)
    with drawing(out):
        from promptreid.figures.draw_scores import draw_cmc

        drawn = draw_cmc(
            loaded(runs, names, device),
            shown_data(spec, unreadable, runs),
            ranks=ranks,
            **embedding_options(cache, no_cache=no_cache, batch_size=batch_size, theme=theme),
        )
    write(drawn, out)


@click.command()
@of_embeddings
@seeded
@click.option(
    "--which",
    type=click.Choice(["worst", "best", "median", "random"]),
    default="worst",
    show_default=True,
    help="Queries to show, by average precision.",
)
@click.option("--queries", type=click.IntRange(1, 40), default=6, show_default=True)
@click.option(
    "--top",
    type=click.IntRange(1, 30),
    default=10,
    show_default=True,
    help="Gallery images to show for each.",
)
@pixelated
def ranks(
    runs: tuple[Path, ...],
    spec: str,
    unreadable: str,
    out: Path,
    names: tuple[str, ...],
    theme: str,
    device: str | None,
    cache: Path | None,
    no_cache: bool,
    batch_size: int,
    seed: int,
    which: str,
    queries: int,
    top: int,
    pixelate: bool,
) -> None:
    """Rank lists: queries, and the gallery images that each run puts first.

    True matches have a tick and a solid frame, others a cross and a dashed one; the rank of the
    first true match stands at the end, with its picture if the list ends before. Images that do not
    count, such as those of the query's own camera, are left out. Several runs show the same queries
    below each other, chosen by their mean average precision.
    """
    check(out, runs, names)
    with drawing(out):
        from promptreid.figures.draw_scores import draw_ranks

        drawn = draw_ranks(
            loaded(runs, names, device),
            shown_data(spec, unreadable, runs),
            which=which,
            queries=queries,
            top=top,
            seed=seed,
            pixelate=pixelate,
            **embedding_options(cache, no_cache=no_cache, batch_size=batch_size, theme=theme),
        )
    write(drawn, out)


@click.command()
@of_embeddings
def histogram(**options: Any) -> None:
    """Cosine similarity of pairs of one identity and of different identities, one panel a run.

    All pairs of query and gallery that count, in blocks. The upright line is the threshold of the
    equal error rate.
    """
    _draw_pairs("draw_histogram", **options)


@click.command()
@of_embeddings
def roc(**options: Any) -> None:
    """ROC curves: true accepts over false accepts, with the thresholds for FAR 0.1, 0.01, ...

    All pairs of query and gallery that count, by cosine; re-ranking plays no part.
    """
    _draw_pairs("draw_roc", **options)


@click.command()
@of_embeddings
def det(**options: Any) -> None:
    """DET curves: false rejects over false accepts on normal deviate axes.

    All pairs of query and gallery that count, by cosine; re-ranking plays no part.
    """
    _draw_pairs("draw_det", **options)


def _draw_pairs(
    function: str,
    *,
    runs: tuple[Path, ...],
    spec: str,
    unreadable: str,
    out: Path,
    names: tuple[str, ...],
    theme: str,
    device: str | None,
    cache: Path | None,
    no_cache: bool,
    batch_size: int,
) -> None:
    """Draw a figure of all pairs by the name of its function in `report.draw_scores`."""
    check(out, runs, names)
    with drawing(out):
        from promptreid.figures import draw_scores

        drawn = getattr(draw_scores, function)(
            loaded(runs, names, device),
            shown_data(spec, unreadable, runs),
            **embedding_options(cache, no_cache=no_cache, batch_size=batch_size, theme=theme),
        )
    write(drawn, out)


COMMANDS = (cmc, ranks, histogram, roc, det)
