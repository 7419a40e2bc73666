"""What a run folder says of a run's data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from promptreid.data.dataset import DataSet
from promptreid.errors import RunError
from promptreid.runs.folder import DATA, RunFolder


def data_record(dataset: DataSet, role: str) -> dict[str, Any]:
    """Say what a run keeps of a data set.

    Args:
        dataset: Trained on, or only scored.
        role: "train" or "test".
    """
    manifest, protocol = dataset.manifest, dataset.protocol
    return {
        "spec": dataset.spec,
        "role": role,
        "name": manifest.name,
        "fingerprint": manifest.fingerprint(),
        "splits": manifest.counts(),
        "protocol": protocol.name if protocol is not None else None,
        "repeats": len(protocol.repeats) if protocol is not None else 0,
        "notes": list(dataset.notes),
    }


def check_same_data(run: RunFolder, datasets: Sequence[DataSet]) -> None:
    """Refuse to go on with a run whose data have changed.

    Raises:
        RunError: A data set's rows are others than when the run was started.
    """
    for record, dataset in zip(run.read(DATA), datasets, strict=True):
        if record["fingerprint"] != dataset.manifest.fingerprint():
            now = data_record(dataset, record["role"])
            raise RunError(
                f"The data behind {dataset.spec} has changed since {run.path} was started: it had "
                f"{record['splits']}, and now has {now['splits']}. "
                "Restore it, or start a new run."
            )
