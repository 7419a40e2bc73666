"""Arguments that the commands of `promptreid figure` share, and what all of them do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptreid.cli import options
from promptreid.cli.output import reporter

if TYPE_CHECKING:
    from promptreid.data.dataset import DataSet
    from promptreid.figures.drawn import Drawn
    from promptreid.inference.embedder import Embedder

_DATA = options.one_data("Data set whose test images are used.")
_DRAWING = (
    click.option(
        "--out",
        required=True,
        metavar="FILE.{png,svg,pdf}",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Where the figure goes; the description is stored in the file.",
    ),
    options.run_names,
    click.option(
        "--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True
    ),
)
_IMAGES = (options.runs, _DATA, *_DRAWING, options.device, options.unreadable)


def of_runs(command: options.Command) -> options.Command:
    """Give a command the runs, and the options that all figures have."""
    return options.together(command, options.runs, *_DRAWING)


def of_images(command: options.Command) -> options.Command:
    """Give a command what it needs to show runs on images, too."""
    return options.together(command, *_IMAGES)


def of_embeddings(command: options.Command) -> options.Command:
    """Give a command what it needs to embed images, too."""
    return options.together(command, *_IMAGES, options.embedding)


def embedding_options(
    cache: Path | None, *, no_cache: bool, batch_size: int, theme: str
) -> Mapping[str, Any]:
    """Turn options of the command line into those of the functions that draw."""
    from promptreid.figures.style import find_theme

    return {
        "cache": options.cache_folder(cache, no_cache=no_cache),
        "batch_size": batch_size,
        "theme": find_theme(theme),
        "progress": reporter(),
    }


def drawing(out: Path) -> AbstractContextManager[None]:
    """Say what is drawn, and that it still is, from before the first slow import on."""
    lines = reporter()
    lines.message(f"drawing {out}")
    return lines.doing(f"drawing {out}")


def check(out: Path, runs: tuple[Path, ...], names: tuple[str, ...]) -> None:
    """Refuse early what would fail only after the models have run."""
    from promptreid.errors import RunError
    from promptreid.figures.extra import need
    from promptreid.figures.saving import check_format
    from promptreid.text.names import run_names

    check_format(out)
    run_names(runs, names)
    for run in runs:
        if not run.exists():
            raise RunError(f"There is no run or checkpoint {run}.")
    need("matplotlib")


def shown_data(spec: str, unreadable: str, runs: tuple[Path, ...]) -> DataSet:
    """Read the data set that is shown, as the runs may be tested on it."""
    from promptreid.data.images.readable import load_shown
    from promptreid.runs.seen_identities import testable

    lines = reporter()
    dataset = load_shown(spec, policy=unreadable, progress=lines)
    return testable(runs, dataset, say=lines.message)


def loaded(
    runs: tuple[Path, ...], names: tuple[str, ...], device: str | None
) -> Iterator[tuple[str, Embedder]]:
    """Load the runs one after the other."""
    from promptreid.inference.embedder import load
    from promptreid.text.names import run_names

    for name, run in zip(run_names(runs, names), runs, strict=True):
        yield name, load(run, device=device)


def write(drawn: Drawn, out: Path) -> None:
    """Write the figure, and say what it shows."""
    from promptreid.figures.saving import save_figure

    save_figure(drawn.figure, out, alt=drawn.alt)
    click.echo(f"wrote {out}\n{drawn.alt}")
