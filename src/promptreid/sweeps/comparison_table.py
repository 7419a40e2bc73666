"""A comparison as text for people: in columns where they fit, else settings in a list below."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from promptreid.config.recipe_settings import YES, parents
from promptreid.evaluation.metrics import Metric, unit_words
from promptreid.sweeps.comparison_rows import ComparisonRow, RunComparison
from promptreid.sweeps.scoring_differences import shorten_specs
from promptreid.text.names import short_keys
from promptreid.text.tables import plain_table

ABSENT = "–"
_LISTED = 8


@dataclass(frozen=True)
class TableLayout:
    """A comparison as cells of a table.

    Attributes:
        header: Headings of the columns.
        rows: Cells of each row.
        right: For each column, whether it holds numbers.
        best: Places (row, column) of the best scores.
        settings: Lines about settings that did not fit as columns.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[bool, ...]
    best: frozenset[tuple[int, int]]
    settings: tuple[str, ...]


def comparison_text(comparison: RunComparison, *, width: int = 80) -> str:
    """Write a comparison in lines of a width, as far as names and scores allow."""
    layout = lay_out(comparison, width=width)
    lines = plain_table([layout.header, *layout.rows], right=layout.right)
    return "\n".join([*lines, *layout.settings, "", *notes(comparison, width=width)])


def lay_out(comparison: RunComparison, *, width: int) -> TableLayout:
    """Choose the columns: name, seeds, data, settings if they fit, scores."""
    keys = list(comparison.keys)
    whole = _layout(comparison, keys)
    cells = [whole.header, *whole.rows]
    columns = sum(max(map(len, column)) + 2 for column in zip(*cells, strict=True)) - 2
    if not keys or columns <= width:
        return whole
    bare = _layout(comparison, [])
    return TableLayout(
        bare.header, bare.rows, bare.right, bare.best, tuple(_list_settings(comparison, width))
    )


def notes(comparison: RunComparison, *, width: int | None = None) -> list[str]:
    """Say how the scores were made and what to beware of, in lines of a width if there is one."""
    lines = [_unit(comparison)]
    for spec, name in comparison.data.items():
        rules = next(row.rules for row in comparison.rows if row.data == spec)
        lines.append(
            f"{name}: protocol {rules['protocol']}, {rules['queries']} queries against "
            f"{rules['gallery']} gallery images"
            + (f", {rules['repeats']} draws." if rules["repeats"] > 1 else ".")
        )
    if comparison.mixed:
        lines.append(
            "seen: whether the run was trained on the training images of the data set it is scored "
            "on; the best of each kind is marked by itself."
        )
    noted = (row for row in comparison.rows if row.notes)
    # A run that is scored on several data sets has its notes once.
    lines += dict.fromkeys(f"Note of {row.name}: {'; '.join(row.notes)}" for row in noted)
    lines += [f"Beware: {warning}" for warning in comparison.warnings]
    lines += [f"Left out: {reason}" for reason in comparison.left_out]
    return lines if width is None else [part for line in lines for part in _wrap(line, width)]


def score_text(row: ComparisonRow, metric: Metric) -> str:
    """Write a score of a row, with its deviation."""
    cell = row.scores[metric.key]
    return metric.text(cell.mean) + ("" if cell.std is None else f" ±{metric.text(cell.std)}")


def setting_labels(keys: Sequence[str]) -> dict[str, str]:
    """Give each setting a short heading that no other has."""
    labels = {key: label.removesuffix(".name") for key, label in short_keys(keys).items()}
    # Beside the data scored on, "data" alone would say too little.
    return labels | {"data": "trained on"} if "data" in labels else labels


def setting_texts(comparison: RunComparison, key: str) -> list[str]:
    """Write one setting of every row."""
    values = [row.settings.get(key) for row in comparison.rows]
    if key == "data":
        specs = [value if isinstance(value, list) else [] for value in values]
        short = shorten_specs(list(dict.fromkeys(spec for of_row in specs for spec in of_row)))
        return [" + ".join(short[spec] for spec in of_row) for of_row in specs]
    if key == "start.checkpoint":  # the name of the run says more than the path to it
        values = [None if value is None else PurePath(value).name for value in values]
    return [setting_text(value) for value in values]


def setting_text(value: Any) -> str:
    """Write a setting on one line."""
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {setting_text(item)}" for key, item in value.items()) or ABSENT
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(setting_text, value)) + "]" if value else "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def seen_text(row: ComparisonRow) -> str:
    """Say whether a row's data set was seen in training."""
    return ABSENT if row.seen is None else "yes" if row.seen else "no"


def _layout(comparison: RunComparison, keys: Sequence[str]) -> TableLayout:
    """Lay out the rows with some settings as columns."""
    labels = setting_labels(keys)
    several = len(comparison.data) > 1
    seeds = any(len(row.seeds) > 1 for row in comparison.rows)
    mixed = comparison.mixed
    header = ["run", *["seeds"] * seeds, *["data"] * several, *["seen"] * mixed]
    header += [labels[key] for key in keys]
    first = len(header)
    header += [metric.heading for metric in comparison.metrics]
    columns = [setting_texts(comparison, key) for key in keys]
    rows = [
        (
            row.name,
            *[str(len(row.seeds))] * seeds,
            *[comparison.data[row.data]] * several,
            *[seen_text(row)] * mixed,
            *(column[place] for column in columns),
            *(score_text(row, metric) for metric in comparison.metrics),
        )
        for place, row in enumerate(comparison.rows)
    ]
    best = {
        (place, first + column)
        for place, row in enumerate(comparison.rows)
        for column, metric in enumerate(comparison.metrics)
        if comparison.is_best(row, metric.key)
    }
    right = [False] * first + [True] * len(comparison.metrics)
    if seeds:
        right[1] = True
    return TableLayout(tuple(header), tuple(rows), tuple(right), frozenset(best), ())


def _list_settings(comparison: RunComparison, width: int) -> list[str]:
    """List what sets each row apart from the value that most rows have."""
    labels = setting_labels(comparison.keys)
    rows: list[ComparisonRow] = []
    for row in comparison.rows:  # a run scored on several data sets is listed once
        if all(row.runs != other.runs for other in rows):
            rows.append(row)
    texts = {
        key: dict(
            zip((r.runs for r in comparison.rows), setting_texts(comparison, key), strict=True)
        )
        for key in comparison.keys
    }
    having = {key: [row for row in rows if _applies(key, row, comparison)] for key in texts}
    common = {
        key: Counter(
            texts[key][row.runs] for row in sorted(concerned, key=lambda r: key not in r.settings)
        ).most_common(1)[0][0]
        for key, concerned in having.items()
    }
    lines = ["", "What sets each run apart from most:"]
    for row in rows:
        apart = [
            _phrase(labels[key], texts[key][row.runs], row.settings.get(key))
            for key in comparison.keys
            if row in having[key] and texts[key][row.runs] != common[key]
        ]
        more = f"and {len(apart) - _LISTED} more (all of them in a file: --out FILE.md)"
        shown = apart[:_LISTED] + [more] * (len(apart) > _LISTED)
        lines += _wrap(f"{row.name}: {'; '.join(shown) or 'nothing'}", width)
    return lines


def _applies(key: str, row: ComparisonRow, comparison: RunComparison) -> bool:
    """Tell whether a row has the part that a setting is of."""
    return all(part in row.settings for part in parents(key) if part in comparison.keys)


def _phrase(label: str, text: str, value: Any) -> str:
    """Write a setting as part of a sentence."""
    if value is None:
        return f"no {label}"
    return f"with {label}" if value == YES else f"{label} {text}"


def _unit(comparison: RunComparison) -> str:
    """Say in which unit scores are, and what their deviations are taken over."""
    over = {cell.std_over for row in comparison.rows for cell in row.scores.values()} - {None}
    unit = unit_words(comparison.metrics)
    if not over:
        return f"{unit}."
    places = {
        ("seeds",): " over seeds",
        ("draws",): " over the protocol's draws",
    }.get(tuple(over), ", over seeds where a row has several, else over the protocol's draws")
    return f"{unit}; mean ± sample standard deviation{places}."


def _wrap(line: str, width: int) -> list[str]:
    return textwrap.wrap(line, max(width, 40), subsequent_indent="    ", break_on_hyphens=False)
