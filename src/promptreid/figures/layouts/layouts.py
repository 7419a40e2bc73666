"""Embeddings in the plane: t-SNE, UMAP or principal components."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from promptreid.errors import ConfigError, EvaluationError, unknown_name
from promptreid.figures.extra import need
from promptreid.torch_threads import torch_threads

METHODS: Mapping[str, str] = MappingProxyType({"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA"})
"""How each method is called in figures."""

Points = NDArray[np.float64]

_PERPLEXITY = (5.0, 30.0)
_NEIGHBOURS = 15
_FEWEST = 5
_INSTALL = "pip install 'promptreid[umap]'"


@dataclass(frozen=True, eq=False)
class Layout:
    """Embeddings laid out in the plane.

    Attributes:
        points: (N, 2) around the origin.
        method: What it is called in figures.
        explained: Share of the variance that the plane holds; None unless the method is linear.
    """

    points: Points
    method: str
    explained: float | None = None


def layout(
    vectors: Tensor,
    method: str = "tsne",
    *,
    seed: int = 0,
    perplexity: float | None = None,
    neighbours: int | None = None,
) -> Layout:
    """Lay embeddings out in the plane.

    Distances between far groups mean little under t-SNE and UMAP, which keep neighbours together.
    Principal components are a straight look at the two directions of most variance, and may hide
    whatever lies along the others.

    Args:
        vectors: (N, D) rows of length 1.
        method: One of `METHODS`.
        seed: Starts t-SNE and UMAP.
        perplexity: About the number of neighbours that count in t-SNE; None for the root of the
            number of rows, at least 5 and at most 30, and never more than a third of the rows.
        neighbours: Images that count as near in UMAP; None for 15, or all there are.

    Returns:
        The same from the same arguments, on one machine.

    Raises:
        ConfigError: There is no such method, or what it needs is not installed.
        EvaluationError: There are too few rows, all are equal, or `perplexity` or `neighbours` do
            not fit their number.
    """
    check_layout(method)
    explained = None
    if method == "pca":
        points, explained = pca_layout(vectors)
    elif method == "umap":
        points = umap_layout(vectors, seed=seed, neighbours=neighbours)
    else:
        points = tsne_layout(vectors, seed=seed, perplexity=perplexity)
    return Layout(points, METHODS[method], explained)


def check_layout(method: str) -> None:
    """Refuse early a method that is unknown or needs a package that is missing.

    Raises:
        ConfigError: There is no such method, or its package is missing.
    """
    if method not in METHODS:
        raise ConfigError(unknown_name("layout", method, METHODS))
    if method == "tsne":
        need("sklearn.manifold")
    if method == "umap" and importlib.util.find_spec("umap") is None:
        raise ConfigError(f"UMAP needs umap-learn, which is not installed: {_INSTALL}")


def pca_layout(vectors: Tensor) -> tuple[Points, float]:
    """Look along the two directions of most variance (Pearson 1901).

    Args:
        vectors: (N, D) rows.

    Returns:
        (N, 2) points around the origin, the first axis wider, each turned so that its farthest
        point lies on the positive side; and the share of the variance they hold.

    Raises:
        EvaluationError: There are fewer than three rows, or all are equal.
    """
    if len(vectors) < 3:
        raise EvaluationError(f"PCA needs 3 images at least, got {len(vectors)}.")
    rows = vectors.double().cpu()
    left, widths, _ = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)
    total = widths.square().sum()
    if float(total) <= torch.finfo(torch.float32).eps ** 2:
        raise EvaluationError("All embeddings are equal, so they span no plane.")
    points = torch.zeros(len(rows), 2, dtype=torch.float64)
    axes = min(2, len(widths))
    points[:, :axes] = left[:, :axes] * widths[:axes]
    farthest = points.gather(0, points.abs().argmax(0, keepdim=True))
    points = torch.where(farthest < 0, -points, points)
    return points.numpy(), float(widths[:2].square().sum() / total)


def tsne_layout(vectors: Tensor, *, seed: int = 0, perplexity: float | None = None) -> Points:
    """Lay embeddings out in the plane (van der Maaten and Hinton, JMLR 2008).

    The start is the first two principal components, so that the seed hardly matters and large
    distances keep some meaning. Arguments and errors are those of `layout`.

    Returns:
        (N, 2) points around the origin.
    """
    manifold, count = need("sklearn.manifold"), len(vectors)
    _check_count(count, "t-SNE")
    if perplexity is None:
        low, high = _PERPLEXITY
        perplexity = min(max(low, count**0.5), high, (count - 1) / 3)
    if not 0 < perplexity < count:
        raise EvaluationError(
            f"perplexity is {perplexity:g}; for {count} images it must be between 0 and {count}."
        )
    method = manifold.TSNE(
        n_components=2, init="pca", perplexity=perplexity, random_state=seed, learning_rate="auto"
    )
    # A step is so short that threads would only wait for each other, for long on a busy machine.
    with need("threadpoolctl").threadpool_limits(1):
        points = method.fit_transform(vectors.double().numpy()).astype(np.float64)
    return points - points.mean(axis=0)


def _check_count(count: int, method: str) -> None:
    if count < _FEWEST:
        raise EvaluationError(f"{method} needs {_FEWEST} images at least, got {count}.")


def umap_layout(vectors: Tensor, *, seed: int = 0, neighbours: int | None = None) -> Points:
    """Lay embeddings out so that neighbours stay together (McInnes, Healy and Melville 2018).

    The start is the first two principal components. The first call of a process takes several
    seconds, in which the package compiles itself. Arguments and errors are those of `layout`.

    Returns:
        (N, 2) points around the origin.
    """
    count = len(vectors)
    _check_count(count, "UMAP")
    if neighbours is None:
        neighbours = min(_NEIGHBOURS, count - 1)
    if not 2 <= neighbours < count:
        raise EvaluationError(
            f"neighbours is {neighbours}; for {count} images it must be 2 to {count - 1}."
        )
    check_layout("umap")
    method: Any = importlib.import_module("umap").UMAP(
        n_neighbors=neighbours, init="pca", random_state=seed, n_jobs=1
    )
    with torch_threads(), warnings.catch_warnings():  # the compiled code sets torch to its own
        warnings.simplefilter("ignore")
        points = method.fit_transform(vectors.double().cpu().numpy()).astype(np.float64)
    return points - points.mean(axis=0)


def turned_towards(points: Points, reference: Points) -> Points:
    """Turn or mirror a layout so that it lies over another as well as it can.

    Neighbours and distances stay what they are; but two panels that are turned alike are easier to
    compare (orthogonal Procrustes problem; Schönemann 1966).

    Args:
        points: (N, 2) centred.
        reference: (N, 2) centred, row for row the same images.

    Returns:
        (N, 2) the points, turned.
    """
    left, _, right = np.linalg.svd(points.T @ reference)
    return points @ (left @ right)
