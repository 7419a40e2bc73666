"""Figures of runs, as the commands of `figure` and Python draw them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import Parameter, signature
from numbers import Integral
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from promptreid.actions.run_data_specs import existing_models, find_run_data
from promptreid.actions.train_settings import list_specs
from promptreid.data.images.readable import load_shown
from promptreid.errors import ConfigError, unknown_name
from promptreid.evaluation.assessment import Assessment
from promptreid.evaluation.embeddings.kept_embeddings import choose_embedding_cache
from promptreid.evaluation.test_set import TestSet
from promptreid.figures.activation.draw_activation import draw_activation
from promptreid.figures.activation.map_kinds import AUTO
from promptreid.figures.curves import draw_curves
from promptreid.figures.draw_scores import PAIR_FIGURES, draw_cmc, draw_pairs, draw_ranks
from promptreid.figures.drawn import Drawn
from promptreid.figures.extra import need
from promptreid.figures.layouts.draw_layout import draw_layout
from promptreid.figures.layouts.layouts import METHODS, check_layout
from promptreid.figures.style import Theme, find_theme
from promptreid.inference.assess import assess
from promptreid.inference.embedder import Embedder
from promptreid.inference.load import load
from promptreid.progress import Lines, Progress
from promptreid.runs.seen_identities import make_testable
from promptreid.text.lists import list_words
from promptreid.text.names import run_names

if TYPE_CHECKING:
    from promptreid.data.dataset import DataSet


def figure(
    kind: str,
    *runs: str | os.PathLike[str],
    data: str | DataSet | None = None,
    names: str | Sequence[str] = (),
    theme: str = "light",
    device: str | None = None,
    unreadable: str = "stop",
    cache: str | os.PathLike[str] | None = None,
    no_cache: bool = False,
    batch_size: int = 64,
    progress: Progress | None = None,
    **choices: Any,
) -> Drawn:
    """Draw a figure of runs.

    The arguments are the options of `promptreid figure KIND`.

    Args:
        kind: "curves" of learning; "cmc", "ranks", "histogram", "roc" or "det" of scores; "tsne",
            "umap" or "pca" of embeddings; "activation" maps.
        runs: Runs or checkpoints.
        data: Data set whose test images are used; None for the runs' own. Curves need none.
        names: What each run is called; none to take the names from the paths.
        theme: "light" or "dark".
        device: Where models compute; None for the best there is.
        unreadable: "stop" at images that cannot be decoded, or "skip" them.
        cache: Folder of embeddings already made; None for the usual one.
        no_cache: Neither read nor keep embeddings.
        batch_size: Images per forward pass.
        progress: Where to report; None for lines on standard error.
        choices: What only some kinds take, such as `queries=3`, `top=10` and `which="worst"` of
            "ranks", `identities=8` and `seed=0` of "tsne", `images=6` and `pixelate=True` of
            "activation".

    Returns:
        The figure, which a notebook shows, and which `save(path)` writes.

    Raises:
        ConfigError: There is no such kind or choice, or the extra `report` is not installed.
        RunError: There is no such run, or it has no learning curves.
        DataError: A data set or an image cannot be read.
        EvaluationError: No query has a match, or there are too few images.

    Example:
        >>> drawn = promptreid.figure("ranks", "runs/mine", queries=2, device="cpu")
        >>> drawn.save("ranks.png").name
        'ranks.png'
    """
    if kind not in KINDS:
        raise ConfigError(unknown_name("figure", kind, KINDS))
    for name in choices.keys() - (known := list_choices(kind)):
        raise ConfigError(unknown_name(f"choice of a {kind} figure", name, known))
    for name in choices.keys() & _NUMBERS:
        if not isinstance(choices[name], Integral) or choices[name] < 1:
            raise ConfigError(f"{name} is {choices[name]!r}; it must be a whole number from 1 on.")
    need("matplotlib")
    models = existing_models(runs)
    labels = run_names(models, list_words(names))
    progress = progress or Lines()
    request = _FigureRequest(
        dict(zip(labels, models, strict=True)),
        find_theme(theme),
        data,
        device,
        unreadable,
        choose_embedding_cache(cache, no_cache=no_cache),
        batch_size,
        progress,
    )
    with progress.doing(f"drawing {kind}"):
        return KINDS[kind](request, **choices)


_NUMBERS = frozenset(("ranks", "queries", "top", "identities", "images"))
"""Choices that say how many of something are shown."""


def list_choices(kind: str) -> frozenset[str]:
    """Return the names of what only some kinds of figures take, and this one does."""
    return frozenset(
        name
        for name, parameter in signature(KINDS[kind]).parameters.items()
        if parameter.kind is Parameter.KEYWORD_ONLY
    )


@dataclass(frozen=True)
class _FigureRequest:
    """What a figure is made of.

    Attributes:
        runs: Runs or checkpoints by the names that the figure calls them.
        theme: Colours.
        data: Data set whose test images are shown; None for the runs' own.
        device: Where models compute.
        unreadable: What to do with images that cannot be decoded.
        cache: Folder of embeddings; None to keep none.
        batch_size: Images per forward pass.
        progress: Where to report.
    """

    runs: Mapping[str, Path]
    theme: Theme
    data: str | DataSet | None
    device: str | None
    unreadable: str
    cache: Path | None
    batch_size: int
    progress: Progress

    def models(self) -> Iterator[tuple[str, Embedder]]:
        """Load the runs one after the other."""
        for name, run in self.runs.items():
            yield name, load(run, device=self.device)

    def dataset(self) -> DataSet:
        """Read the data set that is shown, as the runs may be tested on it."""
        paths = tuple(self.runs.values())
        (spec, *_) = find_run_data(paths) if self.data is None else list_specs(self.data)
        dataset = load_shown(spec, policy=self.unreadable, progress=self.progress)
        return make_testable(paths, dataset, say=self.progress.message)

    @property
    def embedding(self) -> dict[str, Any]:
        """What functions that embed images take beside runs and images."""
        return {"cache": self.cache, "batch_size": self.batch_size, "progress": self.progress}

    def assessed(self) -> dict[str, Assessment]:
        """Assess each run on the data set, one after the other."""
        test_set = TestSet.of(self.dataset())
        return {
            name: assess(embedder, test_set, **self.embedding) for name, embedder in self.models()
        }


def _draw_curves(request: _FigureRequest) -> Drawn:
    return draw_curves(request.runs, theme=request.theme)


def _draw_cmc(request: _FigureRequest, *, ranks: int = 20) -> Drawn:
    return draw_cmc(request.assessed(), ranks=ranks, theme=request.theme)


def _draw_ranks(
    request: _FigureRequest,
    *,
    which: str = "worst",
    queries: int = 6,
    top: int = 10,
    seed: int = 0,
    pixelate: bool = False,
) -> Drawn:
    return draw_ranks(
        request.assessed(), which=which, queries=queries, top=top, seed=seed, pixelate=pixelate,
        theme=request.theme,
    )  # fmt: skip


def _draw_pairs(kind: str, request: _FigureRequest) -> Drawn:
    return draw_pairs(kind, request.assessed(), theme=request.theme)


def _draw_layout(
    method: str,
    request: _FigureRequest,
    *,
    identities: int = 8,
    seed: int = 0,
    perplexity: float | None = None,
    neighbours: int | None = None,
) -> Drawn:
    check_layout(method)
    return draw_layout(
        request.models(), request.dataset(), method=method, identities=identities, seed=seed,
        perplexity=perplexity, neighbours=neighbours, theme=request.theme, **request.embedding,
    )  # fmt: skip


def _draw_activation(
    request: _FigureRequest,
    *,
    kinds: str | Sequence[str] = (AUTO,),
    images: int = 6,
    seed: int = 0,
    pixelate: bool = False,
) -> Drawn:
    return draw_activation(
        request.models(), request.dataset(), kinds=list_words(kinds) or (AUTO,), images=images,
        seed=seed, pixelate=pixelate, theme=request.theme,
    )  # fmt: skip


KINDS: Mapping[str, Callable[..., Drawn]] = MappingProxyType(
    {
        "curves": _draw_curves,
        "cmc": _draw_cmc,
        "ranks": _draw_ranks,
        **{kind: partial(_draw_pairs, kind) for kind in PAIR_FIGURES},
        **{method: partial(_draw_layout, method) for method in METHODS},
        "activation": _draw_activation,
    }
)
"""Figures by the name of their command."""
