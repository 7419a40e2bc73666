"""Arguments that the commands of `promptreid figure` share, and what all of them do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from promptreid.embedder import Embedder
    from promptreid.report.drawn import Drawn

Command = Callable[..., Any]

_RUNS = click.argument(
    "runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path)
)
_DATA = click.option(
    "--data",
    "spec",
    required=True,
    metavar="NAME:ROOT[?key=value&...]",
    help="Data set whose test images are used.",
)
_DRAWING = (
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
    click.option(
        "--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True
    ),
)
_DEVICE = click.option("--device", help="cuda, mps or cpu.  [default: the best there is]")
_EMBEDDING = (
    click.option(
        "--cache",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of embeddings already made.  [default: ~/.cache/promptreid/embeddings]",
    ),
    click.option("--no-cache", is_flag=True, help="Neither read nor keep embeddings."),
    click.option("--batch-size", type=click.IntRange(1), default=64, show_default=True),
)
seeded = click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
pixelated = click.option(
    "--pixelate", is_flag=True, help="Show all pictures as coarse mosaics, for figures to share."
)


def of_runs(command: Command) -> Command:
    """Give a command the runs, and the options that all figures have."""
    return _with(command, _RUNS, *_DRAWING)


def of_images(command: Command) -> Command:
    """Give a command what it needs to show runs on images, too."""
    return _with(command, _RUNS, _DATA, *_DRAWING, _DEVICE)


def of_embeddings(command: Command) -> Command:
    """Give a command what it needs to embed images, too."""
    return _with(command, _RUNS, _DATA, *_DRAWING, _DEVICE, *_EMBEDDING)


def _with(command: Command, *options: Callable[[Command], Command]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def embedding_options(
    cache: Path | None, *, no_cache: bool, batch_size: int, theme: str
) -> Mapping[str, Any]:
    """Turn options of the command line into those of the functions that draw."""
    from promptreid.progress import Lines
    from promptreid.report.cache import default_cache
    from promptreid.report.style import find_theme

    return {
        "cache": None if no_cache else cache or default_cache(),
        "batch_size": batch_size,
        "theme": find_theme(theme),
        "progress": Lines(),
    }


def check(out: Path, runs: tuple[Path, ...], names: tuple[str, ...]) -> None:
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


def loaded(
    runs: tuple[Path, ...], names: tuple[str, ...], device: str | None
) -> Iterator[tuple[str, Embedder]]:
    """Load the runs one after the other."""
    from promptreid.embedder import load
    from promptreid.report.names import run_names

    for name, run in zip(run_names(runs, names), runs, strict=True):
        yield name, load(run, device=device)


def write(drawn: Drawn, out: Path) -> None:
    """Write the figure, and say what it shows."""
    from promptreid.report.saving import save_figure

    save_figure(drawn.figure, out, alt=drawn.alt)
    click.echo(f"wrote {out}\n{drawn.alt}")
