"""The table of epochs that training writes, read back by stage."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from promptreid.errors import RunError
from promptreid.runs.record_reading import report_damage

_CHOSEN = re.compile(r"stage (.+), epoch (\d{1,9})")
_DIGITS = 9


@dataclass(frozen=True)
class StageMetrics:
    """One stage of training.

    Attributes:
        name: Name of the stage.
        epochs: Rising.
        columns: Values by column, one for each epoch; NaN where there is none. Columns without
            any value in this stage are left out.
    """

    name: str
    epochs: tuple[int, ...]
    columns: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def terms(self) -> tuple[str, ...]:
        """Columns of the terms of the loss."""
        return tuple(name for name in self.columns if name.startswith("loss_"))

    @property
    def validations(self) -> tuple[str, ...]:
        """Columns of validation scores."""
        return tuple(name for name in self.columns if name.startswith("val_"))

    def known(self, column: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Give the epochs that have a value of a column, and the values."""
        values = self.columns.get(column, ())
        pairs = [
            (epoch, value)
            for epoch, value in zip(self.epochs, values, strict=False)
            if not math.isnan(value)
        ]
        return tuple(epoch for epoch, _ in pairs), tuple(value for _, value in pairs)


@dataclass(frozen=True)
class Training:
    """The learning curves that a run's training left.

    Attributes:
        stages: In the order in which they ran.
        chosen: Stage and epoch whose weights validation kept; None where it is not known.
    """

    stages: tuple[StageMetrics, ...]
    chosen: tuple[str, int] | None = None

    def stage(self, name: str) -> StageMetrics | None:
        """Give a stage by name, if there was one."""
        return next((stage for stage in self.stages if stage.name == name), None)


def parse_metrics(content: bytes, path: Path, *, chosen_at: str = "") -> Training:
    """Read a table of epochs.

    Args:
        content: Content of the file.
        path: The file, for messages.
        chosen_at: Stage and epoch whose weights validation kept, in the words of the run's status.

    Raises:
        RunError: The table has no epochs, or is damaged.
    """
    try:
        table = csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True)
        rows = list(table)
        header = table.fieldnames or []
    except (UnicodeDecodeError, csv.Error) as error:
        raise report_damage(path, f"it is not a table ({error})") from error
    if not rows or not {"stage", "epoch"} <= set(header):
        raise RunError(f"{path} holds no epochs, so there are no learning curves to draw.")
    if any(None in row or None in row.values() for row in rows):
        raise report_damage(path, "its rows are not of one length")
    names = list(dict.fromkeys(row["stage"] for row in rows))
    chosen = _CHOSEN.fullmatch(chosen_at)
    return Training(
        stages=tuple(_stage(name, rows, header, path) for name in names),
        chosen=None if chosen is None else (chosen[1], int(chosen[2])),
    )


def _stage(
    name: str, rows: Sequence[Mapping[str, str]], header: Sequence[str], path: Path
) -> StageMetrics:
    of_stage = [row for row in rows if row["stage"] == name]
    columns = {}
    for column in header:
        if column in ("stage", "epoch"):
            continue
        values = tuple(_number(row[column], path) for row in of_stage)
        if not all(math.isnan(value) for value in values):
            columns[column] = values
    return StageMetrics(name, tuple(_epoch(row["epoch"], path) for row in of_stage), columns)


def _epoch(text: str, path: Path) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS:
        raise report_damage(path, f"{text[:20]!r} is not an epoch")
    return int(text)


def _number(text: str, path: Path) -> float:
    if not text:
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise report_damage(path, f"{text[:20]!r} is not a number") from None
