"""The table of epochs that training writes, read back by stage."""

from __future__ import annotations

import contextlib
import csv
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from promptreid.errors import RunError

METRICS, STATUS = "metrics.csv", "status.json"
_CHOSEN = re.compile(r"stage (.+), epoch (\d+)")


@dataclass(frozen=True)
class Stage:
    """One stage of training.

    Attributes:
        name: Of the stage.
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
    """What a run's training left.

    Attributes:
        stages: In the order in which they ran.
        chosen: Stage and epoch whose weights validation kept; None where it is not known.
    """

    stages: tuple[Stage, ...]
    chosen: tuple[str, int] | None = None

    def stage(self, name: str) -> Stage | None:
        """Give a stage by name, if there was one."""
        return next((stage for stage in self.stages if stage.name == name), None)


def read_training(run: Path) -> Training:
    """Read the table of epochs of a run folder; a run that still trains may be read too.

    Raises:
        RunError: There is no table, it has no epochs, or it is damaged.
    """
    path = run / METRICS
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file)
            rows = list(table)
            header = table.fieldnames or []
    except FileNotFoundError:
        hint = "it is a file" if run.is_file() else f"it has no {METRICS}"
        raise RunError(
            f"{run} has no learning curves: {hint}. Give the folder of a run that has been trained."
        ) from None
    except NotADirectoryError:
        raise RunError(f"{run} is a file; learning curves need the folder of the run.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RunError(f"{path} cannot be read: {error}.") from error
    if not rows or not {"stage", "epoch"} <= set(header):
        raise RunError(f"{path} holds no epochs, so there are no learning curves to draw.")
    names = list(dict.fromkeys(row["stage"] for row in rows))
    return Training(
        stages=tuple(_stage(name, rows, header, path) for name in names), chosen=_chosen(run)
    )


def _stage(
    name: str, rows: Sequence[Mapping[str, str]], header: Sequence[str], path: Path
) -> Stage:
    own = [row for row in rows if row["stage"] == name]
    columns = {}
    for column in header:
        if column in ("stage", "epoch"):
            continue
        values = tuple(_number(row[column], path) for row in own)
        if not all(math.isnan(value) for value in values):
            columns[column] = values
    return Stage(name, tuple(int(_number(row["epoch"], path)) for row in own), columns)


def _number(text: str | None, path: Path) -> float:
    if not text:
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise RunError(f"{path} is damaged: {text!r} is not a number.") from None


def _chosen(run: Path) -> tuple[str, int] | None:
    with contextlib.suppress(OSError, ValueError, AttributeError, TypeError, KeyError):
        status = json.loads((run / STATUS).read_text(encoding="utf-8"))
        found = _CHOSEN.fullmatch(status["best"]["chosen_at"])
        return None if found is None else (found[1], int(found[2]))
    return None
