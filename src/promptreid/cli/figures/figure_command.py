"""What all commands of `promptreid figure` do: check, draw, write, and say what a figure shows.

A command gets a `FigureRequest` in place of the options that all figures have, and returns what it
has drawn.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptreid.cli import options
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import reporter

if TYPE_CHECKING:
    from promptreid.data.dataset import DataSet
    from promptreid.evaluation.assessment import Assessment
    from promptreid.figures.drawn import Drawn
    from promptreid.figures.style import Theme
    from promptreid.inference.embedder import Embedder

Draws = Callable[..., "Drawn"]

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
        "--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True
    ),
)
_DATA = options.one_data("Data set whose test images are used.")
_IMAGES = (_RUNS[0], _DATA, *_RUNS[1:], options.device, options.unreadable)
_EMBEDDINGS = (*_IMAGES, options.embedding)


@dataclass(frozen=True)
class FigureRequest:
    """The options that figures share; those that a command lacks keep their defaults.

    Attributes:
        runs: Run folders or checkpoints.
        out: File of the figure.
        names: A name for each run; empty to take them from the paths.
        theme_name: "light" or "dark".
        spec: Data set whose test images are shown.
        unreadable: What to do with images that cannot be decoded, "stop" or "skip".
        device: Where models compute; None for the best there is.
        cache: Folder of embeddings already made; None for the usual one.
        no_cache: Whether embeddings are neither read nor kept.
        batch_size: Images per forward pass.
    """

    runs: tuple[Path, ...]
    out: Path
    names: tuple[str, ...]
    theme_name: str
    spec: str = ""
    unreadable: str = "stop"
    device: str | None = None
    cache: Path | None = None
    no_cache: bool = False
    batch_size: int = 64

    def check(self) -> None:
        """Refuse early what would fail only after the models have run."""
        from promptreid.figures.extra import need
        from promptreid.figures.saving import check_format

        check_format(self.out)
        self.named_runs()
        need("matplotlib")

    @property
    def theme(self) -> Theme:
        """Colours of the figure."""
        from promptreid.figures.style import find_theme

        return find_theme(self.theme_name)

    def named_runs(self) -> dict[str, Path]:
        """Return the runs by the names that the figure calls them."""
        from promptreid.text.names import run_names

        return dict(zip(run_names(self.runs, self.names), self.runs, strict=True))

    def models(self) -> Iterator[tuple[str, Embedder]]:
        """Load the runs one after the other."""
        from promptreid.inference.load import load

        for name, run in self.named_runs().items():
            yield name, load(run, device=self.device)

    def dataset(self) -> DataSet:
        """Read the data set that is shown, as the runs may be tested on it."""
        from promptreid.data.images.readable import load_shown
        from promptreid.runs.seen_identities import make_testable

        lines = reporter()
        dataset = load_shown(self.spec, policy=self.unreadable, progress=lines)
        return make_testable(self.runs, dataset, say=lines.message)

    def embedding(self) -> dict[str, Any]:
        """Return what functions that embed images take beside runs and images."""
        return {
            "cache": options.cache_folder(self.cache, no_cache=self.no_cache),
            "batch_size": self.batch_size,
            "progress": reporter(),
        }

    def assessed(self) -> dict[str, Assessment]:
        """Assess each run on the data set, one after the other."""
        from promptreid.evaluation.test_set import TestSet
        from promptreid.inference.assess import assess

        test_set, options = TestSet.of(self.dataset()), self.embedding()
        return {name: assess(embedder, test_set, **options) for name, embedder in self.models()}


def _drawing(draw: Draws, shared: tuple[options.Option, ...]) -> options.Command:
    @functools.wraps(draw)
    def run(json_out: JsonOut, **choices: Any) -> None:
        choices["theme_name"] = choices.pop("theme")
        fields = FigureRequest.__dataclass_fields__.keys() & choices
        request = FigureRequest(**{name: choices.pop(name) for name in fields})
        request.check()
        lines = reporter()
        lines.message(f"drawing {request.out}")
        with lines.doing(f"drawing {request.out}"):
            drawn = draw(request, **choices)
        drawn.save(request.out)
        click.echo(f"wrote {request.out}\n{drawn.alt}")
        json_out.give({"figure": str(request.out), "description": drawn.alt})

    return options.together(json_option(run), *shared)


draws_runs = functools.partial(_drawing, shared=_RUNS)
"""Make a command of a function that draws runs."""
draws_images = functools.partial(_drawing, shared=_IMAGES)
"""Make a command of a function that shows runs on test images."""
draws_embeddings = functools.partial(_drawing, shared=_EMBEDDINGS)
"""Make a command of a function that embeds test images."""
