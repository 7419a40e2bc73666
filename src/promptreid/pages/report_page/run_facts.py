"""What was run, as rows of tables with a column for each run."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptreid.pages.content import RunFacts
from promptreid.pages.report_page.score_words import setting
from promptreid.runs.run_records import DataRecord
from promptreid.text.durations import duration
from promptreid.text.flat_tree import flat_tree
from promptreid.text.number_words import count, percent, plural, rate, similarity, size

_SHORT_HASH = 12


@dataclass(frozen=True)
class FactRow:
    """A row of a table.

    Attributes:
        label: What it tells.
        values: One a run; empty where nothing is known.
    """

    label: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether runs have different values."""
        return len(set(self.values)) > 1


@dataclass(frozen=True)
class DataRow:
    """A data set that runs were trained on, or that their folders name for testing.

    Attributes:
        name: Name of the data set.
        role: "training" or "test".
        splits: Images and identities of each split, in words.
        protocol: Name of its protocol, with the number of repeats.
        fingerprint: Its first letters.
        runs: Names of the runs that have it.
        notes: What its reader says of it.
    """

    name: str
    role: str
    splits: str
    protocol: str
    fingerprint: str
    runs: tuple[str, ...]
    notes: tuple[str, ...]


def fact_rows(runs: Sequence[RunFacts]) -> tuple[FactRow, ...]:
    """Tell what runs are; what is known of no run is left out."""
    facts: dict[str, Callable[[RunFacts], str]] = {
        "Note": lambda run: run.note,
        "Recipe": lambda run: run.recipe,
        "Source": lambda run: run.source,
        "Backbone": lambda run: run.backbone,
        "Parameters": lambda run: size(run.parameters),
        "Weights": lambda run: run.weights,
        "Training": _trained,
        "Kept weights": _kept,
        "Threshold": _threshold,
        "Folder": lambda run: run.path,
    }
    rows = (FactRow(label, tuple(tell(run) for run in runs)) for label, tell in facts.items())
    return tuple(row for row in rows if any(row.values))


def environment_rows(runs: Sequence[RunFacts]) -> tuple[FactRow, ...]:
    """Tell what runs were made with."""
    flat = [
        {} if run.environment is None else flat_tree(run.environment.model_dump(), separator=" ")
        for run in runs
    ]
    labels = dict.fromkeys(label for facts in flat for label in facts)
    return tuple(
        FactRow(label, tuple(_fact(facts.get(label)) for facts in flat)) for label in labels
    )


def data_rows(runs: Sequence[RunFacts]) -> tuple[DataRow, ...]:
    """Tell what data runs have, each data set once."""
    known: dict[tuple[str, str, str], tuple[DataRecord, list[str]]] = {}
    for run in runs:
        for record in run.data:
            key = (record.role, record.name, record.fingerprint)
            names = known.setdefault(key, (record, []))[1]
            if run.name not in names:
                names.append(run.name)
    return tuple(_data_row(record, names) for record, names in known.values())


def split_words(splits: Mapping[str, Mapping[str, int]]) -> str:
    """Say how many images and identities each split has."""
    return "; ".join(
        f"{name} {plural(counts.get('images', 0), 'image')} of "
        f"{plural(counts.get('identities', 0), 'identity', 'identities')}"
        for name, counts in splits.items()
    )


def short_hash(fingerprint: str) -> str:
    """Return as much of a fingerprint as tells data sets apart."""
    return fingerprint[:_SHORT_HASH]


def _trained(run: RunFacts) -> str:
    if run.status is None:
        return ""
    took = run.status.training_seconds
    early = "".join(
        f"; stage {stage} ended early, after epoch {epoch}"
        for stage, epoch in run.status.ended_early.items()
    )
    return f"{run.status.status}, {duration(took) if took else 'nothing was trained'}{early}"


def _kept(run: RunFacts) -> str:
    best = None if run.status is None else run.status.best
    if best is None or best.score is None or not best.chosen_at:
        return "" if best is None else best.chosen_at
    return f"{best.chosen_at}, validation score {percent(best.score)}"


def _threshold(run: RunFacts) -> str:
    chosen = run.threshold
    if chosen is None:
        return ""
    text = (
        f"{similarity(chosen.threshold)}, chosen at FAR {rate(chosen.far)} on "
        f"{count(chosen.pairs)} pairs"
    )
    return f"{text} of {count(chosen.images)} {chosen.source}" if chosen.source else text


def _fact(value: Any) -> str:
    if isinstance(value, list | tuple):
        return shlex.join(str(part) for part in value)
    return "" if value is None else setting(value)


def _data_row(record: DataRecord, names: list[str]) -> DataRow:
    repeats, protocol = record.repeats, record.protocol or ""
    return DataRow(
        name=record.name,
        role="training" if record.role == "train" else "test",
        splits=split_words(record.splits),
        protocol=f"{protocol}, {repeats} repeats" if repeats > 1 else protocol,
        fingerprint=short_hash(record.fingerprint),
        runs=tuple(names),
        notes=record.notes,
    )
