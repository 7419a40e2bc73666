"""Commands of `promptreid figure` that lay embeddings out in the plane."""

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
from promptreid.cli.options import seeded

_IDENTITIES = click.option(
    "--identities",
    type=click.IntRange(2, 35),
    default=8,
    show_default=True,
    help="How many to show, drawn by the seed.",
)


@click.command()
@of_embeddings
@seeded
@_IDENTITIES
@click.option(
    "--perplexity",
    type=click.FloatRange(0, min_open=True),
    help="About the number of neighbours that count.  [default: the root of the number of images, "
    "5 to 30]",
)
def tsne(**options: Any) -> None:
    """t-SNE of the same test images under each run, one panel a run, identities in one look.

    Below each panel stands the mean distance within identities over that between them, measured in
    the embedding itself. Embeddings are kept by weights and images, so that a second figure is
    quick.
    """
    _draw("tsne", **options)


@click.command()
@of_embeddings
@seeded
@_IDENTITIES
@click.option(
    "--neighbours",
    type=click.IntRange(2),
    help="How many count as near.  [default: 15, or all there are]",
)
def umap(**options: Any) -> None:
    """UMAP of the same test images under each run; needs the extra `umap`.

    As tsne otherwise. The first call takes several seconds, in which umap-learn compiles itself.
    """
    _draw("umap", **options)


@click.command()
@of_embeddings
@seeded
@_IDENTITIES
def pca(**options: Any) -> None:
    """Principal components of the same test images under each run.

    As tsne otherwise; below each panel also stands how much of the variance it shows.
    """
    _draw("pca", **options)


def _draw(
    method: str,
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
    **choices: Any,
) -> None:
    """Draw one layout; the choices are those of `draw_layout`."""
    check(out, runs, names)
    with drawing(out):
        from promptreid.figures.layouts.draw_layout import draw_layout
        from promptreid.figures.layouts.layouts import check_layout

        check_layout(method)
        drawn = draw_layout(
            loaded(runs, names, device),
            shown_data(spec, unreadable, runs),
            method=method,
            **choices,
            **embedding_options(cache, no_cache=no_cache, batch_size=batch_size, theme=theme),
        )
    write(drawn, out)


COMMANDS = (tsne, umap, pca)
