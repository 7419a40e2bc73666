"""Whether the text matters, as the folder of a run says it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptreid.data.dataset import DataSet
from promptreid.errors import EvaluationError
from promptreid.evaluation.domain_texts import DomainTexts
from promptreid.evaluation.word_control import WordControl
from promptreid.runs.folder import DATA, SCORES


def word_control_of(folder: Path | None, dataset: DataSet) -> WordControl | None:
    """Read what exchanged words do to a run's scores on a data set.

    Args:
        folder: Of the run; None for a lone checkpoint.
        dataset: Found in the run's records by its rows, whatever its path was.

    Returns:
        None where the run was not scored on these rows, reads no words, or says so in a way that
        cannot be read.
    """
    rows = dataset.manifest.fingerprint()
    own = {
        record.get("spec")
        for record in _records(folder, DATA, list)
        if isinstance(record, Mapping) and record.get("fingerprint") == rows
    }
    for result in _results(folder):
        if result.get("data") in own and "word_control" in result:
            try:
                return WordControl.from_dict(result["word_control"])
            except EvaluationError:
                return None
    return None


def domain_texts_of(folder: Path | None) -> tuple[DomainTexts, ...]:
    """Read what the domain tokens of a run say; nothing where it has none or they are damaged."""
    try:
        found = _records(folder, SCORES, dict).get("domain_texts", ())
        return tuple(DomainTexts.from_dict(record) for record in found)
    except (EvaluationError, TypeError):
        return ()


def _results(folder: Path | None) -> list[Mapping[str, Any]]:
    """Return the scores of each data set of a run."""
    found = _records(folder, SCORES, dict)
    results = found.get("results", [found])
    return [result for result in results if isinstance(result, Mapping)]


def _records(folder: Path | None, name: str, kind: type) -> Any:
    """Read a file of a run; what is missing or damaged is said to be empty."""
    if folder is None:
        return kind()
    try:
        found = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return kind()
    return found if isinstance(found, kind) else kind()
