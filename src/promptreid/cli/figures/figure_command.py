"""What all commands of `promptreid figure` do: check, draw, write, and say what a figure shows.

A command is a function without a body: its name is the kind of figure, its words are the help.
"""

from __future__ import annotations

import functools
from pathlib import Path
from types import FunctionType
from typing import Any

import click

from promptreid.cli import options
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import reporter

_RUNS = (
    options.runs,
    click.option(
        "--out",
        required=True,
        metavar="FILE.{png,svg,pdf}",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Where the figure goes; the description is stored in the file.",
    ),
    options.run_names,
    click.option(
        "--theme",
        type=click.Choice(["light", "dark"]),
        default="light",
        show_default=True,
        help="Colours for a light page or a dark one.",
    ),
)
_DATA = options.one_data("Data set whose test images are used.")
_IMAGES = (_RUNS[0], _DATA, *_RUNS[1:], options.device, options.unreadable)
_EMBEDDINGS = (*_IMAGES, options.embedding)


def _drawing(described: FunctionType, shared: tuple[options.Option, ...]) -> options.Command:
    @functools.wraps(described)
    def run(
        runs: tuple[Path, ...],
        out: Path,
        names: tuple[str, ...],
        json_out: JsonOut,
        **choices: Any,
    ) -> None:
        from promptreid.figures.extra import need
        from promptreid.figures.saving import check_format
        from promptreid.text.names import run_names

        check_format(out)
        run_names(runs, names)
        need("matplotlib")
        lines = reporter()
        lines.message(f"drawing {out}")
        with lines.doing(f"drawing {out}"):
            from promptreid.actions import draw_figure

            kind, data = described.__name__, choices.pop("spec", None)
            drawn = draw_figure.figure(
                kind, *runs, data=data, names=names, progress=lines, **choices
            )
            drawn.save(out)
        click.echo(f"wrote {out}\n{drawn.alt}")
        json_out.give({"figure": str(out), "description": drawn.alt})

    return options.together(json_option(run), *shared)


draws_runs = functools.partial(_drawing, shared=_RUNS)
"""Make a command that draws runs."""
draws_images = functools.partial(_drawing, shared=_IMAGES)
"""Make a command that shows runs on test images."""
draws_embeddings = functools.partial(_drawing, shared=_EMBEDDINGS)
"""Make a command that embeds test images."""
