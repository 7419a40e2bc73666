"""Note the data sets of a run, and tell whether they are still the same."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from promptreid.data.data_spec import DataSpec, parse_spec
from promptreid.data.dataset import DataSet
from promptreid.data.same_data import DataSource, source_of
from promptreid.errors import RunError
from promptreid.files import full_path
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_images import ImageRow, find_changed_files, name_people
from promptreid.runs.run_records import DataRecord, Role
from promptreid.text.lists import counted, shorten_list


def record_data(dataset: DataSet, role: Role, *, run: Path) -> DataRecord:
    """Say what a run in a folder keeps of a data set that is trained on, or only scored."""
    place = resolve_spec(dataset.spec)
    manifest, protocol = dataset.manifest, dataset.protocol
    return DataRecord(
        spec=dataset.spec,
        place=str(place),
        beside={
            option: os.path.relpath(path, run.absolute()) for option, path in _paths(place).items()
        },
        role=role,
        name=manifest.name,
        fingerprint=manifest.fingerprint(),
        splits={split: dict(counts) for split, counts in manifest.counts().items()},
        protocol=protocol.name if protocol is not None else None,
        repeats=len(protocol.repeats) if protocol is not None else 0,
        notes=tuple(dataset.notes),
    )


def list_trained_sources(records: Sequence[DataRecord]) -> tuple[DataSource, ...]:
    """Name the data sets that a run was trained on."""
    return tuple(source_of(one.place, one.name) for one in records if one.role == "train")


def resolve_spec(spec: str) -> DataSpec:
    """Return a data name whose paths do not depend on the folder that a command runs in."""
    parsed = parse_spec(spec)
    return _with_paths(parsed, {key: full_path(path) for key, path in _paths(parsed).items()})


def locate_spec(run: RunFolder, record: DataRecord) -> str:
    """Say where a data set of a run lies now.

    Returns:
        The name as it was given, where it means the same folder from here; else the full one; else
        the one from the run folder, for a run that was moved together with its data.
    """
    place = parse_spec(record.place)
    if not all(Path(path).exists() for path in _paths(place).values()):
        here = run.path.absolute()
        moved = {key: full_path(here / path) for key, path in record.beside.items()}
        if all(path.exists() for path in moved.values()):
            return str(_with_paths(place, moved))
    return record.spec if str(resolve_spec(record.spec)) == record.place else record.place


def _paths(spec: DataSpec) -> dict[str, str]:
    """Return the paths that a data name holds, by option; "" is the root."""
    named = {"root": spec.options["root"]} if "root" in spec.options else {}
    return {"": spec.root, **named}


def _with_paths(spec: DataSpec, paths: Mapping[str, Path]) -> DataSpec:
    named = {key: str(path) for key, path in paths.items() if key}
    return DataSpec(spec.name, str(paths[""]), {**spec.options, **named})


def check_same_data(run: RunFolder, datasets: Sequence[DataSet]) -> None:
    """Refuse to go on with a run whose data have changed.

    Raises:
        RunError: A data set's rows or image files are others than when the run was started.
    """
    rows = run.images()
    for number, (record, dataset) in enumerate(zip(run.data(), datasets, strict=True)):
        if record.fingerprint != dataset.manifest.fingerprint():
            started_with = [row for row in rows if row.data_set == number]
            raise RunError(
                f"The data behind {dataset.spec} have changed since {run.path} was started: "
                f"{describe_changes(started_with, dataset)}. Restore them, or start a new run."
            )
    changed = find_changed_files(rows, datasets)
    if changed:
        raise RunError(
            f"{counted(len(changed), 'image file')} of {run.path} "
            f"{'is' if len(changed) == 1 else 'are'} not what training began with: "
            f"{shorten_list(changed)}. Put them back, or start a new run."
        )


def describe_changes(rows: Sequence[ImageRow], dataset: DataSet) -> str:
    """Say in words which rows of a data set were added and removed since a run was started."""
    before = {(row.path, *row.key) for row in rows}
    keys = name_people(dataset.manifest)
    after = {(path, *key) for path, key in zip(dataset.manifest.paths, keys, strict=True)}
    changes = [
        f"{counted(count, 'row')} {word}"
        for count, word in ((len(after - before), "added"), (len(before - after), "removed"))
        if count
    ]
    return ", ".join(changes) or "rows have other splits, cameras, boxes or attributes"
