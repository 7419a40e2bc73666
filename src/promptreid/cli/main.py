"""The `promptreid` command. Commands are imported when they are called, so help is immediate."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Generator
from types import FrameType, MappingProxyType

import click
from click.shell_completion import CompletionItem

from promptreid.cli.completing.shell_scripts import SHELL, TYPED
from promptreid.errors import PromptReIDError, ToldElsewhereError, unknown_name
from promptreid.processes.asked_call import asked_call
from promptreid.processes.launch import count_processes, is_first
from promptreid.text.streams import guarded_output, lead_nowhere
from promptreid.version import __version__

COMMANDS = MappingProxyType(
    {
        "quickstart": "From a folder of pictures to a search page, step by step.",
        "demo": "Train and score on rendered hands, in minutes.",
        "train": "Train a recipe on data sets into a run folder.",
        "evaluate": "Score a run or a checkpoint on data.",
        "export": "Write a model for other programs: ONNX, trackers, PyTorch.",
        "embed": "Embed images into Parquet files, on any number of machines.",
        "threshold": "Choose and keep a run's threshold for the same identity.",
        "same": "Say whether two images show one identity.",
        "gallery": "Enrol people, and look after who is enrolled.",
        "search": "Say who of a folder or gallery a picture shows, or nobody.",
        "verify": "Say of pairs of images whether each shows one identity.",
        "serve": "Serve a gallery to browsers and programs.",
        "sweep": "Train a grid or list of settings from one file.",
        "compare": "Set the scores of runs side by side.",
        "note": "Show or change the note of a run.",
        "report": "Write all about runs into one HTML page.",
        "figure": "Draw t-SNE and activation maps of runs.",
        "recipes": "List, show and copy recipes.",
        "import-config": "Say a configuration of other code as a recipe.",
        "data": "Inspect data sets, write them out, render synthetic ones.",
        "bench": "Measure speed beside plain formulations.",
        "pretrain": "Make the weights of `tiny` anew.",
        "completion": "Print what lets a shell complete commands.",
    }
)
"""Each command, which has a file of its name (`_` for `-`), and what it does."""

_SHARED = ("train", "embed")
"""Commands that share their work among the processes that torchrun starts."""


class LazyGroup(click.Group):
    """A group whose commands are imported when one is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command, or return None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        return getattr(importlib.import_module(f"promptreid.cli.{name}"), name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the closest command for an unknown one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            message = unknown_name("command", args[0], COMMANDS, see="`promptreid --help`")
            raise click.UsageError(message, ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer the commands without importing them."""
        offers = [
            CompletionItem(name, help=about)
            for name, about in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*offers, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


# Our own streams make escape codes visible; click would take them out without a word.
@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "color": True})
@click.version_option(__version__, prog_name="promptreid")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """CLIP-based re-identification of people, vehicles and hands.

    Add --debug to any command to see the full traceback of an error.
    """
    count, command = count_processes(), ctx.invoked_subcommand
    if count > 1 and command not in _SHARED:
        raise click.UsageError(
            f"promptreid {command} works in one process, and torchrun has started {count} that "
            f"would all do the same. Start it without torchrun; only {' and '.join(_SHARED)} share "
            "their work among processes."
        )


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 the user's mistake, 1 ours, 130 stopped."""
    # torch reads this once: large pages, where the system gives them to those who ask. A training
    # step touches gigabytes anew, and fetching them in pages of 4 KiB is a tenth of its time.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    words = list(sys.argv[1:] if arguments is None else arguments)
    if SHELL in os.environ:
        _answer_shell()
        return
    with guarded_output(), _termination_stops():
        _run(words)


def _answer_shell() -> None:
    """Print what a word that is being typed may go on with."""
    from promptreid.cli.completing.shell_answers import answer_shell

    for line in answer_shell(cli, os.environ.get(TYPED, ""), shell=os.environ[SHELL]):
        print(line)


@contextlib.contextmanager
def _termination_stops() -> Generator[None]:
    """Let SIGTERM, and a terminal that is closed, stop what runs as Ctrl-C does.

    Files are whole then, and the status is "stopped". With nohup a terminal may be closed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [(signal.SIGTERM, signal.signal(signal.SIGTERM, _interrupt))]
    closed = getattr(signal, "SIGHUP", None)  # Windows has none
    if closed is not None and signal.getsignal(closed) is signal.SIG_DFL:
        before.append((closed, signal.signal(closed, _terminate)))
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _terminate(number: int, frame: FrameType | None) -> None:
    """Do what SIGTERM does now: a training ends its step, a service its requests."""
    signal.raise_signal(signal.SIGTERM)


def _run(words: list[str]) -> None:
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    if not debug:  # what Pillow says of damaged tags of a picture would stand amid the progress
        warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        with asked_call(("promptreid", *words)):
            code = cli.main(args=words, prog_name="promptreid", standalone_mode=False)
    except click.ClickException as error:
        if is_first():  # others got the same command line
            error.show()
            if isinstance(error, click.NoSuchOption):
                _say_setting(error)
        code = 2
    except (KeyboardInterrupt, click.Abort):
        if is_first():
            _say("stopped")
        code = 130
    except Exception as error:  # the last line of defence: every failure becomes a sentence
        if debug:
            traceback.print_exc()
        code = _explain(error, debug=debug)
    _leave(code if isinstance(code, int) else 0)


def _say_setting(error: click.NoSuchOption) -> None:
    """Point from an option that looks like a setting of the recipe to the key it has there."""
    from promptreid.config.reading.synonyms import KEYS
    from promptreid.text.suggest import plain

    name = error.option_name.lstrip("-").partition("=")[0]
    command = error.ctx.command.name if error.ctx is not None else ""
    if command not in ("train", "sweep") or plain(name) not in KEYS:
        return
    from promptreid.config.reading.keys import meaning
    from promptreid.config.schema import Recipe

    meant = meaning([name], Recipe, {"stages": [{"name": "image"}]})
    _say(f"Settings of the recipe are given as KEY=VALUE, without dashes.{meant}")


def _explain(error: Exception, *, debug: bool) -> int:
    if isinstance(error, PromptReIDError):
        if not isinstance(error, ToldElsewhereError):
            _say(f"error: {error}")
        return 2
    if isinstance(error, BrokenPipeError):
        return 0
    if isinstance(error, OSError) and error.errno is not None:
        what, remedy = _os_words(error)
        _say(f"error: {what}.{remedy}")
        return 2
    if "No space left on device" in str(error):
        _say(f"error: the disk is full.{_DISK_FULL}")
        return 2
    if "torchvision::" in str(error):
        _say(f"error: {_torchvision_words()}")
        return 2
    hint = "" if debug else " Run the command again with --debug for the traceback."
    _say(f"internal error: {type(error).__name__}: {error}.{hint}")
    return 1


_DISK_FULL = " Nothing half-written was left; free some space and run the command again."


def _os_words(error: OSError) -> tuple[str, str]:
    """Say what the system refuses, of which file if it is one, and what to do."""
    of_file = f": {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full{of_file}", _DISK_FULL
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        file = error.filename or "this"
        return f"no permission for {file}", " Choose another place, or change the permissions."
    return f"{(error.strerror or str(error)).lower()}{of_file}", ""


def _torchvision_words() -> str:
    """Say that torchvision was built for another torch, and how both are installed."""
    from importlib.metadata import version

    return (
        f"torch {version('torch')} and torchvision {version('torchvision')} were not built "
        "together, so no model can be read. Install both from one place in one command: "
        "`pip install --force-reinstall torch torchvision`, with the `--index-url` that torch "
        "came from, if any; or `pip install -c constraints.txt -e .` in a copy of promptreid."
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _leave(code: int) -> None:
    try:
        sys.stdout.flush()
    except OSError:
        # The reader (`head`, say) has gone; do not let the interpreter complain at exit.
        lead_nowhere(sys.stdout)
    sys.exit(code)
