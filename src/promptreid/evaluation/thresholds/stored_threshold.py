"""The threshold for the same identity that a checkpoint holds, and what to do where it has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptreid.errors import WeightsError
from promptreid.evaluation.thresholds.threshold import Threshold

NO_THRESHOLD = (
    "This model has no threshold for the same identity. Choose one on images of people that it was "
    "not trained on: promptreid threshold RUN --data folder:/path/to/folders (one folder per "
    "person), or from Python: model = model.with_threshold(choose_threshold("
    "Embeddings.from_vectors(model.embed(paths), identities), far=1e-3)), both names from "
    "promptreid.evaluation."
)


def read_threshold(record: Mapping[str, Any] | None) -> Threshold | None:
    """Read the threshold of a checkpoint; raise `WeightsError` where it is damaged."""
    if record is None:
        return None
    try:
        return Threshold.from_dict(record)
    except ValueError as error:
        raise WeightsError(
            f"The threshold of this model is damaged: {record!r}. It needs the numbers "
            "threshold, far and pairs."
        ) from error
