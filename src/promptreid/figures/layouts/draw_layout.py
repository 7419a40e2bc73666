"""A figure of embeddings in the plane, made from runs and a data set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from promptreid.data.dataset import DataSet
from promptreid.data.load_data import load_data
from promptreid.figures.drawn import Drawn
from promptreid.figures.layouts.identity_spread import class_spread
from promptreid.figures.layouts.layout_figure import Panel, layout_alt, layout_figure
from promptreid.figures.layouts.layouts import check_layout, layout, turned_towards
from promptreid.figures.selection import pick_identities
from promptreid.figures.style import LIGHT, Theme
from promptreid.inference.embedder import Embedder
from promptreid.inference.embedding_cache import cached_embeddings
from promptreid.progress import Progress


def draw_layout(
    runs: Iterable[tuple[str, Embedder]],
    dataset: DataSet | str,
    *,
    method: str = "tsne",
    identities: int = 8,
    seed: int = 0,
    perplexity: float | None = None,
    neighbours: int | None = None,
    cache: Path | None = None,
    batch_size: int = 64,
    theme: Theme = LIGHT,
    progress: Progress | None = None,
) -> Drawn:
    """Show how runs arrange the same identities in the plane, and measure it.

    The arguments are the options of `promptreid figure tsne`, `umap` and `pca`, one by one.

    Args:
        runs: Names and models; they may be made one at a time, so that only one is in memory.
        dataset: A data set, or its spec.
        method: One of `promptreid.figures.layouts.layouts.METHODS`.
        identities: How many to draw; all there are when there are fewer.
        seed: Draws the identities, and starts t-SNE and UMAP.
        perplexity: Perplexity of t-SNE, see `layout`.
        neighbours: Images that count as near in UMAP, see `layout`.
        cache: Folder where embeddings are kept; None to keep none.
        batch_size: Images per forward pass.
        theme: Light or dark.
        progress: Where to report.

    Raises:
        ConfigError: There is no such method, a package is missing, or there are too many
            identities.
        DataError: There are not enough images.
        EvaluationError: The images cannot be laid out, see `layout`.
    """
    check_layout(method)
    dataset = load_data(dataset) if isinstance(dataset, str) else dataset
    selection = pick_identities(dataset, identities=identities, seed=seed)
    panels: list[Panel] = []
    for name, embedder in runs:
        embeddings = cached_embeddings(
            embedder, selection.manifest, folder=cache, batch_size=batch_size, progress=progress
        )
        vectors = embeddings.vectors
        laid_out = layout(vectors, method, seed=seed, perplexity=perplexity, neighbours=neighbours)
        if panels:
            turned = turned_towards(laid_out.points, panels[0].layout.points)
            laid_out = replace(laid_out, points=turned)
        panels.append(Panel(name, laid_out, class_spread(vectors, selection.groups)))
    return Drawn(layout_figure(panels, selection, theme=theme), layout_alt(panels, selection))
