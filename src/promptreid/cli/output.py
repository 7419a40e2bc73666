"""Scores of a run, printed for people."""

from __future__ import annotations

import json
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


def score_results(scores: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the results of a `scores.json`, one for each data set."""
    return scores.get("results", [scores])


def print_run_scores(run: RunFolder) -> None:
    """Print a finished run's scores and where it lies."""
    path = run.path / "scores.json"
    if path.is_file():
        for result in score_results(json.loads(path.read_text(encoding="utf-8"))):
            click.echo(score_text(result, title=result.get("data", "")))
    click.echo(f"run: {run.path}")


def score_text(result: dict[str, Any], *, title: str) -> str:
    """Return one result of `scores.json` as a few lines: protocol, scores, spread, caveats."""
    from promptreid.evaluation.render import render_scores

    return render_scores(result, title)
