"""Scores of a run, printed for people."""

from __future__ import annotations

import shlex
import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import click

from promptreid.text.safe import visible
from promptreid.text.streams import unguarded
from promptreid.text.wrap import wrapped

if TYPE_CHECKING:
    from promptreid.progress import Lines
    from promptreid.runs.run_folder import RunFolder

_REPORTER = "promptreid.reporter"


def reporter() -> Lines:
    """Return the progress reporter of the command that runs: one, so that none talks over another.

    Nothing that takes long is imported for it: a command says its first word at once.
    """
    from promptreid.progress import Lines

    context = click.get_current_context(silent=True)
    return Lines() if context is None else context.meta.setdefault(_REPORTER, Lines())


def started(text: str) -> AbstractContextManager[None]:
    """Say the first word of a command, and that it is at work while it imports what it needs."""
    lines = reporter()
    lines.message(text)
    return lines.doing("loading PyTorch")


def headline(text: str) -> None:
    """Print a line in bold type on a terminal, and as it is elsewhere."""
    if sys.stdout.isatty():
        print(click.style(visible(text), bold=True), file=unguarded(sys.stdout))
    else:
        click.echo(visible(text))


def print_run_scores(run: RunFolder) -> None:
    """Print a finished run's scores, what training gained, where it lies, and what comes next."""
    results = run.scores() if run.has_scores else ()
    for result in results:
        click.echo(score_text(result, title=result["data"]))
        if "worth" in result:
            from promptreid.evaluation.uncertainty.training_gain import worth_text

            click.echo("\n" + worth_text(result["worth"]))
    click.echo(f"\nrun: {run.path}")
    for line in next_commands(run, tested=bool(results)):
        click.echo(line)


def run_record(run: RunFolder) -> dict[str, Any]:
    """Return where a finished run is, its scores and its threshold, JSON-ready."""
    from promptreid.models.checkpoint import read_info

    kept = read_info(run.best).verification
    return {
        "run": str(run.path),
        "scores": run.scores() if run.has_scores else [],
        "threshold": None if kept is None else dict(kept),
    }


def next_commands(run: RunFolder, *, tested: bool) -> list[str]:
    """Say which commands come after a training; a report where there are test images."""
    from promptreid.models.checkpoint import read_info

    shown = shlex.quote(str(run.path))
    same = f"promptreid same {shown} A.jpg B.jpg", "is it the same one?"
    choose = f"promptreid threshold {shown} --data SPEC", "from which score on is it the same one?"
    report = f"promptreid report {shown}", "all of it on one page"
    has_threshold = read_info(run.best).verification is not None
    commands = [same if has_threshold else choose, *([report] if tested else [])]
    if not tested and not has_threshold:
        commands.append(same)
    commands.append((f"promptreid search FOLDER A.jpg --model {shown}", "who is it, of a folder?"))
    width = max(len(command) for command, _ in commands)
    return ["next:", *(f"  {command:{width}}   {why}" for command, why in commands)]


def score_text(result: dict[str, Any], *, title: str) -> str:
    """Return one result of `scores.json` as a few lines: protocol, scores, spread, caveats."""
    from promptreid.evaluation.tables.retrieval_table import render_scores

    return wrapped(render_scores(result, title))
