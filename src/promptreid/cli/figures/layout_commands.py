"""Commands of `promptreid figure` that lay embeddings out in the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from promptreid.cli.figures.figure_command import FigureRequest, draws_embeddings
from promptreid.cli.options import seeded

if TYPE_CHECKING:
    from promptreid.figures.drawn import Drawn

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
def tsne(request: FigureRequest, **choices: Any) -> Drawn:
    """t-SNE of the same test images under each run, one panel a run, identities in one look.

    Below each panel stands the mean distance within identities over that between them, measured in
    the embedding itself. Embeddings are kept by weights and images, so that a second figure is
    quick.
    """
    return _draw("tsne", request, **choices)


@click.command()
@draws_embeddings
@seeded
@_IDENTITIES
@click.option(
    "--neighbours",
    type=click.IntRange(2),
    help="How many count as near.  [default: 15, or all there are]",
)
def umap(request: FigureRequest, **choices: Any) -> Drawn:
    """UMAP of the same test images under each run; needs the extra `umap`.

    As tsne otherwise. The first call takes several seconds, in which umap-learn compiles itself.
    """
    return _draw("umap", request, **choices)


@click.command()
@draws_embeddings
@seeded
@_IDENTITIES
def pca(request: FigureRequest, **choices: Any) -> Drawn:
    """Principal components of the same test images under each run.

    As tsne otherwise; below each panel also stands how much of the variance it shows.
    """
    return _draw("pca", request, **choices)


def _draw(method: str, request: FigureRequest, **choices: Any) -> Drawn:
    """Draw one layout; the choices are those of `draw_layout`."""
    from promptreid.figures.layouts.draw_layout import draw_layout
    from promptreid.figures.layouts.layouts import check_layout

    check_layout(method)
    return draw_layout(
        request.models(),
        request.dataset(),
        method=method,
        theme=request.theme,
        **choices,
        **request.embedding(),
    )


COMMANDS = (tsne, umap, pca)
