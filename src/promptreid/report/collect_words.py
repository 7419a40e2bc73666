"""Whether the text matters, as the folder of a run says it."""

from __future__ import annotations

from promptreid.data.dataset import DataSet
from promptreid.evaluation.domain_texts import DomainTexts
from promptreid.evaluation.word_control import WordControl
from promptreid.runs.folder import RunFolder


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
    if run is None or not run.has_scores:
        return None
    rows = dataset.manifest.fingerprint()
    own = {record.spec for record in run.data() if record.fingerprint == rows}
    for result in run.scores():
        if result["data"] in own and "word_control" in result:
            return WordControl.from_dict(result["word_control"])
    return None


def domain_texts_of(run: RunFolder | None) -> tuple[DomainTexts, ...]:
    """Read what the domain tokens of a run say; nothing where it has none.

    Raises:
        RunError: A file of the run is damaged.
        EvaluationError: What its scores say of domain tokens is not what training writes.
    """
    if run is None or not run.has_scores:
        return ()
    return tuple(DomainTexts.from_dict(record) for record in run.domain_texts())
