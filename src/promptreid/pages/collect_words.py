"""What the folder of a run says of its words, its training and its domain tokens."""

from __future__ import annotations

from typing import Any

from promptreid.data.dataset import DataSet
from promptreid.evaluation.uncertainty.training_gain import Worth
from promptreid.inference.text_controls.domain_texts import DomainTexts
from promptreid.inference.text_controls.word_control import WordControl
from promptreid.runs.run_folder import RunFolder


def read_controls(
    run: RunFolder | None, dataset: DataSet
) -> tuple[WordControl | None, Worth | None]:
    """Read what exchanged words do to a run's scores on a data set, and what training gained there.

    The data set is looked for in the run's records by its rows, whatever its path was.

    Returns:
        None each where there is no run, it was not scored on these rows, or that was not measured.

    Raises:
        RunError: A file of the run is damaged.
        EvaluationError: Its scores say something else than training writes.
    """
    if run is None or not run.has_scores:
        return None, None
    rows = dataset.manifest.fingerprint()
    specs = {record.spec for record in run.data() if record.fingerprint == rows}
    records: dict[str, Any] = {}
    for result in run.scores():
        if result["data"] in specs:
            records = {**result, **records}
    words, worth = records.get("word_control"), records.get("worth")
    return (
        None if words is None else WordControl.from_dict(words),
        None if worth is None else Worth.from_dict(worth),
    )


def read_domain_texts(run: RunFolder | None) -> tuple[DomainTexts, ...]:
    """Read what the domain tokens of a run say; nothing where it has none.

    Raises:
        RunError: A file of the run is damaged.
        EvaluationError: What its scores say of domain tokens is not what training writes.
    """
    if run is None or not run.has_scores:
        return ()
    return tuple(DomainTexts.from_dict(record) for record in run.domain_texts())
