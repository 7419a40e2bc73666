"""What a run writes down of its data sets, and whether they are still the same."""

from __future__ import annotations

from collections.abc import Sequence

from promptreid.data.dataset import DataSet
from promptreid.data.sources import Source, source_of
from promptreid.errors import RunError
from promptreid.runs.folder import RunFolder
from promptreid.runs.records import DataRecord, Role


def data_record(dataset: DataSet, role: Role) -> DataRecord:
    """Say what a run keeps of a data set.

    Args:
        dataset: Trained on, or only scored.
        role: "train" or "test".
    """
    manifest, protocol = dataset.manifest, dataset.protocol
    return DataRecord(
        spec=dataset.spec,
        role=role,
        name=manifest.name,
        fingerprint=manifest.fingerprint(),
        splits={split: dict(counts) for split, counts in manifest.counts().items()},
        protocol=protocol.name if protocol is not None else None,
        repeats=len(protocol.repeats) if protocol is not None else 0,
        notes=tuple(dataset.notes),
    )


def trained_sources(records: Sequence[DataRecord]) -> tuple[Source, ...]:
    """Name the data sets that a run was trained on."""
    return tuple(source_of(one.spec, one.name) for one in records if one.role == "train")


def check_same_data(run: RunFolder, datasets: Sequence[DataSet]) -> None:
    """Refuse to go on with a run whose data have changed.

    Raises:
        RunError: A data set's rows are others than when the run was started.
    """
    for record, dataset in zip(run.data(), datasets, strict=True):
        now = data_record(dataset, record.role)
        if record.fingerprint != now.fingerprint:
            raise RunError(
                f"The data behind {dataset.spec} has changed since {run.path} was started: it had "
                f"{record.splits}, and now has {now.splits}. Restore it, or start a new run."
            )
