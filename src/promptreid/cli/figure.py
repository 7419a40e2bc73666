"""`promptreid figure`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from promptreid.embedder import Embedder
    from promptreid.report.draw import Drawn

_RUNS = click.argument(
    "runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path)
)
_OPTIONS = (
    click.option(
        "--data",
        "spec",
        required=True,
        metavar="NAME:ROOT[?key=value&...]",
        help="Data set whose test images are shown.",
    ),
    click.option(
        "--out",
        required=True,
        metavar="FILE.{png,svg,pdf}",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Where the figure goes; the description is stored in the file.",
    ),
    click.option(
        "--name",
        "names",
        multiple=True,
        help="What a run is called, once for each run in order.  [default: from its path]",
    ),
    click.option("--seed", type=click.IntRange(0), default=0, show_default=True),
    click.option(
        "--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True
    ),
    click.option("--device", help="cuda, mps or cpu.  [default: the best there is]"),
)


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the arguments that all figures have."""
    for option in reversed((_RUNS, *_OPTIONS)):
        command = option(command)
    return command


@click.group()
def figure() -> None:
    """Draw what runs have learned; needs the extra `report`.

    \b
    promptreid figure tsne runs/zero-shot runs/clip-reid --data SPEC --out tsne.png
    promptreid figure activation runs/clip-reid --data SPEC --out maps.png
    """  # noqa: D301 - click reads the \b itself


@figure.command()
@_shared
@click.option(
    "--identities",
    type=click.IntRange(2, 35),
    default=8,
    show_default=True,
    help="How many to show, drawn by the seed.",
)
@click.option(
    "--perplexity",
    type=click.FloatRange(0, min_open=True),
    help="Of t-SNE.  [default: the root of the number of images, 5 to 30]",
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of embeddings already made.  [default: ~/.cache/promptreid/embeddings]",
)
@click.option("--no-cache", is_flag=True, help="Neither read nor keep embeddings.")
@click.option("--batch-size", type=click.IntRange(1), default=64, show_default=True)
def tsne(
    runs: tuple[Path, ...],
    spec: str,
    out: Path,
    names: tuple[str, ...],
    seed: int,
    theme: str,
    device: str | None,
    identities: int,
    perplexity: float | None,
    cache: Path | None,
    no_cache: bool,
    batch_size: int,
) -> None:
    """t-SNE of the same test images under each run, one panel a run, identities in one look.

    Below each panel stands the mean distance within identities over that between them, measured in
    the embedding itself. Embeddings are kept by weights and images, so that a second figure is
    quick.
    """
    _check(out, runs, names)
    from promptreid.progress import Lines
    from promptreid.report.cache import default_cache
    from promptreid.report.draw import draw_tsne
    from promptreid.report.style import find_theme

    drawn = draw_tsne(
        _loaded(runs, names, device),
        spec,
        identities=identities,
        seed=seed,
        perplexity=perplexity,
        cache=None if no_cache else cache or default_cache(),
        batch_size=batch_size,
        theme=find_theme(theme),
        progress=Lines(),
    )
    _write(drawn, out)


@figure.command()
@_shared
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
    out: Path,
    names: tuple[str, ...],
    seed: int,
    theme: str,
    device: str | None,
    kinds: tuple[str, ...],
    images: int,
) -> None:
    """Test images, and below them where each run looks.

    Maps of one kind share a colour scale, over all images and runs; 1 is what a patch would have if
    all had the same. The line runs where the scale is half way up.
    """
    _check(out, runs, names)
    from promptreid.report.draw import draw_activation
    from promptreid.report.style import find_theme

    drawn = draw_activation(
        _loaded(runs, names, device),
        spec,
        kinds=kinds or ("auto",),
        images=images,
        seed=seed,
        theme=find_theme(theme),
    )
    _write(drawn, out)


def _check(out: Path, runs: tuple[Path, ...], names: tuple[str, ...]) -> None:
    """Refuse early what would fail only after the models have run."""
    from promptreid.errors import RunError
    from promptreid.report.extra import need
    from promptreid.report.names import run_names
    from promptreid.report.saving import check_format

    check_format(out)
    run_names(runs, names)
    for run in runs:
        if not run.exists():
            raise RunError(f"There is no run or checkpoint {run}.")
    need("matplotlib")


def _loaded(
    runs: tuple[Path, ...], names: tuple[str, ...], device: str | None
) -> Iterator[tuple[str, Embedder]]:
    """Load the runs one after the other."""
    from promptreid.embedder import load
    from promptreid.report.names import run_names

    for name, run in zip(run_names(runs, names), runs, strict=True):
        yield name, load(run, device=device)


def _write(drawn: Drawn, out: Path) -> None:
    from promptreid.report.saving import save_figure

    save_figure(drawn.figure, out, alt=drawn.alt)
    click.echo(f"wrote {out}\n{drawn.alt}")
