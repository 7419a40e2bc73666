"""Scores of a run, printed for people."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

import click

from promptreid.text.safe import visible
from promptreid.text.streams import unguarded

if TYPE_CHECKING:
    from promptreid.runs.folder import RunFolder


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
            from promptreid.evaluation.worth import worth_text

            click.echo("\n" + worth_text(result["worth"]))
    click.echo(f"\nrun: {run.path}")
    for line in next_commands(run, tested=bool(results)):
        click.echo(line)


def next_commands(run: RunFolder, *, tested: bool) -> list[str]:
    """Say which two commands come after a training, ready to be pasted.

    Args:
        run: A finished run.
        tested: Whether it has test images, to report on.
    """
    from promptreid.models.checkpoint import read_metadata

    shown = shlex.quote(str(run.path))
    same = f"promptreid same {shown} A.jpg B.jpg", "is it the same one?"
    choose = f"promptreid threshold {shown} --data SPEC", "from which score on is it the same one?"
    report = f"promptreid report {shown}", "all of it on one page"
    has_threshold = "verification" in read_metadata(run.best)
    commands = [same if has_threshold else choose, *([report] if tested else [])]
    if not tested and not has_threshold:
        commands.append(same)
    width = max(len(command) for command, _ in commands)
    return ["next:", *(f"  {command:{width}}   {why}" for command, why in commands)]


def score_text(result: dict[str, Any], *, title: str) -> str:
    """Return one result of `scores.json` as a few lines: protocol, scores, spread, caveats."""
    from promptreid.evaluation.render import render_scores

    return render_scores(result, title)
