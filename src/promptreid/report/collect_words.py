"""Whether the text and the training matter, as the folder of a run says it."""

from __future__ import annotations

from typing import Any

from promptreid.data.dataset import DataSet
from promptreid.evaluation.uncertainty.training_gain import Worth
from promptreid.inference.text_controls.domain_texts import DomainTexts
from promptreid.inference.text_controls.word_control import WordControl
from promptreid.runs.run_folder import RunFolder


def word_control_of(run: RunFolder | None, dataset: DataSet) -> WordControl | None:
    """Read what exchanged words do to a run's scores on a data set.

    Args:
        run: The run; None for a lone checkpoint.
        dataset: Found in the run's records by its rows, whatever its path was.

    Returns:
        None where the run was not scored on these rows, or reads no words.

    Raises:
        RunError: A file of the run is damaged.
        EvaluationError: What its scores say of words is not what training writes.
    """
    found = _said(run, dataset, "word_control")
    return None if found is None else WordControl.from_dict(found)


def worth_of(run: RunFolder | None, dataset: DataSet) -> Worth | None:
    """Read what training gained on a data set over the untrained backbone.

    Args:
        run: The run; None for a lone checkpoint.
        dataset: Found in the run's records by its rows, whatever its path was.

    Returns:
        None where the run was not scored on these rows, or not compared.

    Raises:
        RunError: A file of the run is damaged.
        EvaluationError: What its scores say is not what training writes.
    """
    found = _said(run, dataset, "worth")
    return None if found is None else Worth.from_dict(found)


def _said(run: RunFolder | None, dataset: DataSet, key: str) -> Any:
    """Return one part of a run's scores on a data set; None where there is none."""
    if run is None or not run.has_scores:
        return None
    rows = dataset.manifest.fingerprint()
    own = {record.spec for record in run.data() if record.fingerprint == rows}
    results = [result for result in run.scores() if result["data"] in own]
    return next((result[key] for result in results if key in result), None)


def domain_texts_of(run: RunFolder | None) -> tuple[DomainTexts, ...]:
    """Read what the domain tokens of a run say; nothing where it has none.

    Raises:
        RunError: A file of the run is damaged.
        EvaluationError: What its scores say of domain tokens is not what training writes.
    """
    if run is None or not run.has_scores:
        return ()
    return tuple(DomainTexts.from_dict(record) for record in run.domain_texts())
