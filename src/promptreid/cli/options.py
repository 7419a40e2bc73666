"""Options that several commands share, so that they read alike everywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from promptreid.errors import RunError
from promptreid.hub.hub_address import is_hub_address
from promptreid.text.device_words import refuse_other_word

Command = Callable[..., Any]
Option = Callable[[Command], Command]

SPEC = "'NAME:ROOT[?key=value&...]'"


def offers(kind: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Say what a shell offers for a parameter: a function of `completed_words`, by its name."""

    def offer(
        context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from promptreid.cli.completing import completed_words

        return getattr(completed_words, kind)(context, incomplete)

    return offer


def data(about: str, *, name: str = "specs", option: str = "--data") -> Option:
    """Make `--data` or the like, given several times, with the name of its argument."""
    return click.option(
        option, name, multiple=True, metavar=SPEC, help=about, shell_complete=offers("specs")
    )


def one_data(about: str) -> Option:
    """Make a `--data` that must be given once, as `spec`."""
    return click.option(
        "--data", "spec", required=True, metavar=SPEC, help=about, shell_complete=offers("specs")
    )


def precision(about: str, *, default: str | None = None) -> Option:
    """Make `--precision`, a number type of matrix products."""
    return click.option(
        "--precision",
        type=click.Choice(["auto", "bf16", "fp16", "fp32"]),
        default=default,
        show_default=default is not None,
        help=about,
    )


class ExistingRun(click.Path):
    """A run folder or a checkpoint, which must be there, or one on the Hugging Face Hub."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Offer runs, checkpoints and the folders on the way to them."""
        return offers("runs")(ctx, param, incomplete)

    def convert(self, value: Any, param: object, ctx: object) -> Path:
        """Return the path; raises RunError where there is nothing."""
        if is_hub_address(str(value)) and not getattr(ctx, "resilient_parsing", False):
            from promptreid.runs.run_folder import RunFolder

            click.echo(f"looking up {value}", err=True)
            return RunFolder.checkpoint_of(value)
        path = Path(value)
        if not path.exists():
            raise RunError(f"There is no run or checkpoint {path}.")
        return path


overrides = click.argument(
    "overrides", nargs=-1, metavar="[KEY=VALUE]...", shell_complete=offers("settings")
)
runs = click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=ExistingRun())
models = click.argument(
    "models", nargs=-1, required=True, metavar="RUN_OR_CHECKPOINT...", type=ExistingRun()
)
model = click.argument("model", metavar="RUN_OR_CHECKPOINT", type=ExistingRun())


def _check_device(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    """Refuse other words for a device before anything slow is imported."""
    if value is not None and not context.resilient_parsing:
        refuse_other_word(value)
    return value


device = click.option(
    "--device", callback=_check_device, help="cuda, mps or cpu.  [default: the best there is]"
)
_SEED = "Of every random choice."
seeded = click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help=_SEED)
open_seed = click.option(
    "--seed", type=click.IntRange(0), default=None, help=f"{_SEED}  [default: 0]"
)
batch_size = click.option(
    "--batch-size",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Images that pass the model at a time.",
)
workers = click.option(
    "--workers",
    type=click.IntRange(1),
    default=None,
    help="Processes that render.  [default: one for each core]",
)


def threads(about: str) -> Option:
    """Make `--threads`, the number that a processor computes with."""
    return click.option("--threads", type=click.IntRange(1), metavar="N", help=about)


sure = click.option("--yes", is_flag=True, help="Do not ask.")
pixelated = click.option(
    "--pixelate", is_flag=True, help="Show all pictures as coarse mosaics, to share what is shown."
)
run_names = click.option(
    "--name",
    "names",
    multiple=True,
    help="What a run is called, once for each run in order.  [default: from its path]",
)
unreadable = click.option(
    "--unreadable",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="What to do with images that cannot be decoded; they are named and counted either way.",
)
_CACHE = (
    click.option(
        "--cache",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of embeddings already made.  [default: ~/.cache/promptreid/embeddings]",
    ),
    click.option("--no-cache", is_flag=True, help="Neither read nor keep embeddings."),
    batch_size,
)


def embedding(command: Command) -> Command:
    """Give a command what it needs to embed images and to keep the embeddings."""
    return together(command, *_CACHE)


def together(command: Command, *options: Option) -> Command:
    """Give a command several options, in this order in its help."""
    for option in reversed(options):
        command = option(command)
    return command
