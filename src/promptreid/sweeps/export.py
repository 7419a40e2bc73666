"""A comparison as a file: Markdown for people, CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from promptreid.errors import ConfigError
from promptreid.evaluation.metrics import Metric
from promptreid.files import write_text
from promptreid.sweeps.comparison_rows import ComparisonRow, RunComparison
from promptreid.sweeps.comparison_table import (
    notes,
    score_text,
    seen_text,
    setting_labels,
    setting_texts,
)
from promptreid.text.cells import csv_cell, markdown_cell

SUFFIXES = (".md", ".csv", ".json")
_COLUMNS = 5


def check_suffix(path: Path) -> None:
    """Refuse a file whose kind is not known; raises ConfigError."""
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path} must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}.")


def write_comparison(comparison: RunComparison, path: Path) -> None:
    """Write a comparison in one step, in the format that the name ends in: .md, .csv or .json.

    Raises:
        ConfigError: The name ends otherwise.
    """
    check_suffix(path)
    makers = {".md": markdown, ".csv": csv_text, ".json": json_text}
    write_text(path, makers[path.suffix.lower()](comparison))


def markdown(comparison: RunComparison) -> str:
    """Write a table with the settings as columns, or in a table of their own if they are many."""
    keys = list(comparison.keys)
    few, mixed = len(keys) <= _COLUMNS, comparison.mixed
    labels = setting_labels(keys)
    header = ["run", "seeds", "data", *["seen"] * mixed]
    header += [labels[key] for key in keys] if few else []
    header += [metric.heading for metric in comparison.metrics]
    columns = [setting_texts(comparison, key) for key in keys] if few else []
    rows = [
        [
            markdown_cell(row.name),
            str(len(row.seeds)),
            markdown_cell(comparison.data[row.data]),
            *[seen_text(row)] * mixed,
            *(markdown_cell(column[place]) for column in columns),
            *(_marked(comparison, row, metric) for metric in comparison.metrics),
        ]
        for place, row in enumerate(comparison.rows)
    ]
    plain = 3 + mixed + len(columns)
    lines = _pipes(header, rows, right=len(header) - plain)
    lines += ["", *(f"{markdown_cell(note)}  " for note in notes(comparison))]
    if not few:
        lines += ["", "Settings that differ:", "", *_settings_table(comparison)]
    elif keys:
        named = [f"{labels[key]} is `{key}`" for key in keys if labels[key] != key]
        lines += ["", "; ".join(named) + "."] if named else []
    return "\n".join(lines) + "\n"


def csv_text(comparison: RunComparison) -> str:
    """Write one line a row; scores are fractions of 1, with all digits."""
    text = io.StringIO()
    header = ["run", "seeds", "runs", "scored_on", "seen", *comparison.keys]
    for metric in comparison.metrics:
        header += [metric.key, f"{metric.key}_std"]
    header.append("std_over")
    table = csv.writer(text, lineterminator="\n")
    table.writerow([csv_cell(cell) for cell in (*header, "note")])
    for row in comparison.rows:
        cells: list[Any] = [row.name, " ".join(map(str, row.seeds)), len(row.seeds), row.data]
        cells.append(_csv_value(row.seen))
        cells += [_csv_value(row.settings.get(key)) for key in comparison.keys]
        for metric in comparison.metrics:
            cell = row.scores[metric.key]
            cells += [cell.mean, "" if cell.std is None else cell.std]
        over = {cell.std_over or "" for cell in row.scores.values()}
        table.writerow([csv_cell(cell) for cell in (*cells, "".join(over), "; ".join(row.notes))])
    return text.getvalue()


def comparison_record(comparison: RunComparison) -> dict[str, Any]:
    """Give all settings that differ, the score of each run, rules and warnings, JSON-ready."""
    differing = [{key: row.settings.get(key) for key in comparison.keys} for row in comparison.rows]
    return {
        "metrics": [metric.key for metric in comparison.metrics],
        "rows": [
            {**asdict(row), "settings": settings}
            for row, settings in zip(comparison.rows, differing, strict=True)
        ],
        "warnings": comparison.warnings,
        "left_out": comparison.left_out,
    }


def json_text(comparison: RunComparison) -> str:
    """Write what `comparison_record` gives."""
    return json.dumps(comparison_record(comparison), indent=2, ensure_ascii=False) + "\n"


def _settings_table(comparison: RunComparison) -> list[str]:
    """Lay settings out downwards, one column a run; a run scored on several data counts once."""
    place_by_runs: dict[tuple[str, ...], int] = {}
    for place, row in enumerate(comparison.rows):
        place_by_runs.setdefault(row.runs, place)
    places = place_by_runs.values()
    names = [markdown_cell(comparison.rows[place].name) for place in places]
    rows = []
    for key in comparison.keys:
        texts = setting_texts(comparison, key)
        rows.append([f"`{key}`", *(markdown_cell(texts[place]) for place in places)])
    return _pipes(["setting", *names], rows, right=0)


def _pipes(header: list[str], rows: list[list[str]], *, right: int) -> list[str]:
    left = len(header) - right
    lines = [header, ["---"] * left + ["---:"] * right, *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _marked(comparison: RunComparison, row: ComparisonRow, metric: Metric) -> str:
    text = score_text(row, metric)
    return f"**{text}**" if comparison.is_best(row, metric.key) else text


def _csv_value(value: Any) -> Any:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict, bool)) else value
