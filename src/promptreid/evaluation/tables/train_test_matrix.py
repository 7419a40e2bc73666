"""Training data by test data: what each of several models scores on each of several data sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from promptreid.data.data_set_names import Place, name_data_sets
from promptreid.data.same_data import DataSource
from promptreid.errors import EvaluationError
from promptreid.text.tables import plain_table

Values = Mapping[str, Any]


@dataclass(frozen=True)
class MatrixRow:
    """One model and what it was trained on.

    Attributes:
        model: Run folder or checkpoint, as given.
        trained_on: Training data of the model; empty when nothing was trained, None when it is not
            known.
    """

    model: str
    trained_on: tuple[DataSource, ...] | None


@dataclass(frozen=True)
class ScoreMatrix:
    """Scores of models on data sets.

    Attributes:
        rows: M models.
        columns: N data sets.
        results: M rows of N results, each what a `scores.json` holds for one data set.

    Raises:
        EvaluationError: There is no row or column, or the results are not M rows of N.
    """

    rows: tuple[MatrixRow, ...]
    columns: tuple[DataSource, ...]
    results: tuple[tuple[Values, ...], ...] = field(repr=False)

    def __post_init__(self) -> None:
        sizes = [len(results) for results in self.results]
        if not self.rows or not self.columns or sizes != [len(self.columns)] * len(self.rows):
            raise EvaluationError(
                f"A matrix of {len(self.rows)} models by {len(self.columns)} data sets needs one "
                f"result for each pair, but its rows hold {sizes or 'nothing'}."
            )

    def seen(self, row: int, column: int) -> bool | None:
        """Say whether a model was trained on a data set's training images; None when unknown."""
        trained = self.rows[row].trained_on
        if trained is None:
            return None
        return self.columns[column].place in {source.place for source in trained}

    def to_dict(self) -> dict[str, Any]:
        """Return names, what was seen, and mAP and Rank-1 as rows of fractions."""
        labels, names = _name_places(self), _name_columns(self)
        numbers = range(len(self.columns))
        return {
            "models": [row.model for row in self.rows],
            "trained_on": [
                None if row.trained_on is None else [labels[one.place] for one in row.trained_on]
                for row in self.rows
            ],
            "data": names,
            "seen": [[self.seen(row, n) for n in numbers] for row in range(len(self.rows))],
            "mAP": [[values["mAP"] for values in results] for results in self.results],
            "rank1": [[values["cmc"]["1"] for values in results] for results in self.results],
        }


def render_matrix(matrix: ScoreMatrix) -> str:
    """Lay out mAP and Rank-1 of every model on every data set.

    Scores on data that a model was trained on stand in brackets.
    """
    labels = _name_places(matrix)
    rows = [["model", "trained on", *_name_columns(matrix)]]
    for number, row in enumerate(matrix.rows):
        cells = [
            _write_cell(values, seen=bool(matrix.seen(number, column)))
            for column, values in enumerate(matrix.results[number])
        ]
        rows.append([_shorten_model(row.model, matrix), _name_training(row, labels), *cells])
    lines = ["mAP / Rank-1, percent:"]
    lines += plain_table(rows, right=[False, False, *[True] * len(matrix.columns)])
    if any("[" in cell for row in rows[1:] for cell in row[2:]):
        lines.append("In brackets: the model was trained on the training images of that data set.")
    if any(source.all_images for row in matrix.rows for source in row.trained_on or ()):
        lines.append("*: trained on all its images, those of its own test set too.")
    if any(row.trained_on is None for row in matrix.rows):
        lines.append("?: the file does not say what it was trained on.")
    return "\n".join(lines)


def _write_cell(values: Values, *, seen: bool) -> str:
    text = f"{100 * values['mAP']:.1f} / {100 * values['cmc']['1']:.1f}"
    return f"[{text}]" if seen else f"{text} "


def _name_training(row: MatrixRow, labels: Mapping[Place, str]) -> str:
    if row.trained_on is None:
        return "?"
    names = [labels[one.place] + "*" * one.all_images for one in row.trained_on]
    return " + ".join(names) or "nothing"


def _shorten_model(model: str, matrix: ScoreMatrix) -> str:
    """Return the last part of a model's path, or the whole where others end alike."""
    ends = [PurePath(row.model).name for row in matrix.rows]
    name = PurePath(model).name
    return name if ends.count(name) == 1 else model


def _name_places(matrix: ScoreMatrix) -> dict[Place, str]:
    trained = [source for row in matrix.rows for source in row.trained_on or ()]
    return name_data_sets(source.place for source in (*matrix.columns, *trained))


def _name_columns(matrix: ScoreMatrix) -> list[str]:
    """Name the columns; options are shown where one data set is read in several ways."""
    labels = _name_places(matrix)
    places = [column.place for column in matrix.columns]
    return [
        labels[column.place]
        + (f"?{column.options}" if places.count(column.place) > 1 and column.options else "")
        for column in matrix.columns
    ]
