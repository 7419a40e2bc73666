"""Runs side by side, as the command `compare` and Python do."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from promptreid.actions.run_data_specs import path_of
from promptreid.errors import ConfigError, unknown_name
from promptreid.sweeps.comparison import DEFAULT_METRICS, compare_runs
from promptreid.sweeps.comparison_rows import RunComparison
from promptreid.sweeps.comparison_table import comparison_text, lay_out, notes
from promptreid.sweeps.export import write_comparison
from promptreid.sweeps.run_results import find_runs, read_runs
from promptreid.text.lists import list_words

SEEDS = ("together", "apart")
"""Whether runs that differ only by seed share a row."""

_WIDE = 400  # letters of a table that no terminal bounds


@dataclass(frozen=True, eq=False, repr=False)
class ComparedRuns:
    """Runs side by side: the settings that differ, and the scores.

    Printed, it is the table that `promptreid compare` prints; a notebook shows it as a table.

    Attributes:
        table: Rows of scores with what a reader must know about them.
    """

    table: RunComparison

    def __str__(self) -> str:
        return comparison_text(self.table)

    __repr__ = __str__

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the table, with every setting that differs.

        Args:
            path: A file that ends in `.md`, `.csv` or `.json`.

        Raises:
            ConfigError: The name has another ending.
        """
        write_comparison(self.table, Path(path))
        return Path(path)

    def _repr_html_(self) -> str:
        layout = lay_out(self.table, width=_WIDE)
        sides = ["right" if right else "left" for right in layout.right]
        head = "".join(
            f"<th style='text-align:{side}'>{html.escape(word)}</th>"
            for word, side in zip(layout.header, sides, strict=True)
        )
        body = "".join(
            "<tr>"
            + "".join(
                f"<td style='text-align:{side}"
                f"{';font-weight:bold' if (place, column) in layout.best else ''}'>"
                f"{html.escape(cell)}</td>"
                for column, (cell, side) in enumerate(zip(row, sides, strict=True))
            )
            + "</tr>"
            for place, row in enumerate(layout.rows)
        )
        below = [*layout.settings, *notes(self.table, width=_WIDE)]
        words = "<br>".join(html.escape(line) for line in below if line)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{words}</p>"


def compare(
    *runs: str | os.PathLike[str],
    metrics: str | Sequence[str] = DEFAULT_METRICS,
    sort: str | None = None,
    seeds: str = "together",
) -> ComparedRuns:
    """Set runs side by side: the settings that differ, and the scores.

    Args:
        runs: Run folders, or folders that hold some, such as that of a sweep.
        metrics: Scores to show, such as "mAP", "rank1" and "mINP".
        sort: Best first by this score; None for the order given.
        seeds: "together" joins runs that differ only by seed into one row, with mean and standard
            deviation; "apart" gives each its own.

    Returns:
        The table; `print` it, or look at it in a notebook.

    Raises:
        RunError: There is no such run, or none has scores.
        EvaluationError: There is no such metric.
        ConfigError: No run is given, or `seeds` is neither.

    Example:
        >>> print(promptreid.compare("runs/mine"))  # doctest: +ELLIPSIS
        run ...
    """
    if not runs:
        raise ConfigError("Name one run or several, such as compare('runs/a', 'runs/b').")
    if seeds not in SEEDS:
        raise ConfigError(unknown_name("way to show seeds", seeds, SEEDS))
    table = compare_runs(
        read_runs(find_runs([path_of(run, what="run") for run in runs])),
        metrics=list_words(metrics),
        seeds_together=seeds == "together",
        sort=sort,
    )
    return ComparedRuns(table)
