"""What runs leave in their folders, read back for comparing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from promptreid.config.recipe_settings import flat_settings
from promptreid.data.same_data import source_of
from promptreid.errors import PromptReIDError, RunError
from promptreid.files import name_entries
from promptreid.runs.run_data import list_trained_sources
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_place import is_run
from promptreid.runs.run_records import DataRecord, Role, StatusRecord

SWEEP = "sweep.json"

_SEED = re.compile(r"[-_]seed\d+$")


@dataclass(frozen=True)
class RunRecord:
    """One run folder.

    Attributes:
        path: Folder of the run.
        recipe: Name of the recipe, empty if it cannot be read.
        settings: Flat settings of the resolved recipe.
        seed: Seed of the run, None if it cannot be read.
        data: Spec and fingerprint of each data set the run was trained on.
        test: Spec and fingerprint of each further data set the run was scored on.
        seen: By the spec of each of these data sets, whether the run was trained on its training
            images; empty where the run itself trained nothing.
        note: What the run is for, in the user's words; empty without a note.
        results: The results of `scores.json`, one for each data set; empty without scores.
        problem: Why there is nothing to compare, in words; empty when there is.
    """

    path: Path
    recipe: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    data: tuple[tuple[str, str], ...] = ()
    test: tuple[tuple[str, str], ...] = ()
    seen: Mapping[str, bool] = field(default_factory=dict)
    note: str = ""
    results: tuple[Mapping[str, Any], ...] = ()
    problem: str = ""

    @property
    def name(self) -> str:
        """Name of the folder, without the seed at its end."""
        return _SEED.sub("", self.path.absolute().name) or self.path.absolute().name


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """Find run folders, each once, in the order given.

    A path may also be a folder that holds runs: those of a sweep come in the sweep's order, others
    by name.

    Raises:
        RunError: A path is missing, or is and holds no run.
    """
    runs: dict[Path, Path] = {}
    for path in paths:
        if not path.exists():
            raise RunError(f"There is no run folder {path}.")
        inside = [path] if is_run(path) else _runs_in(path)
        if not inside:
            raise RunError(
                f"{path} is no run folder and holds none (it holds {name_entries(path)}). A run "
                "folder has a recipe.yaml; `promptreid train` and `promptreid sweep` make them."
            )
        for run in inside:
            runs.setdefault(run.resolve(), run)
    return list(runs.values())


def read_runs(paths: Sequence[Path]) -> list[RunRecord]:
    """Read run folders; one that is unfinished or damaged says so in `problem`."""
    return [_read(path) for path in paths]


def _read(path: Path) -> RunRecord:
    try:
        folder = RunFolder.open(path)
        recipe, status, data = folder.recipe(), folder.status(), folder.data()
        record = RunRecord(
            path=path,
            recipe=recipe.name,
            settings=flat_settings(recipe),
            seed=folder.environment().seed,
            data=_fingerprints(data, "train"),
            test=_fingerprints(data, "test"),
            seen=_seen(data) if recipe.stages else {},
            note=folder.note(),
        )
        if not status.complete:
            return replace(record, problem=_unfinished(path, status))
        if not folder.has_scores:
            problem = "has no scores: its data has no query and gallery images"
            return replace(record, problem=problem)
        return replace(record, results=folder.scores())
    except PromptReIDError as error:
        return RunRecord(path=path, problem=f"cannot be read: {error}")


def _fingerprints(records: Sequence[DataRecord], role: Role) -> tuple[tuple[str, str], ...]:
    return tuple((one.spec, one.fingerprint) for one in records if one.role == role)


def _seen(records: Sequence[DataRecord]) -> dict[str, bool]:
    trained = {source.place for source in list_trained_sources(records)}
    return {one.spec: source_of(one.place, one.name).place in trained for one in records}


def _unfinished(path: Path, status: StatusRecord) -> str:
    error = status.error or _read_sweep(path.parent).get(path.name, {}).get("error")
    if error:
        return f"failed: {error}"
    where = f" ({status.at})" if status.at else ""
    return f"is not finished: {status.status}{where}"


def _runs_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    order = list(_read_sweep(folder))
    runs = [entry for entry in folder.iterdir() if is_run(entry) and not entry.name.startswith(".")]
    place = {name: number for number, name in enumerate(order)}
    return sorted(runs, key=lambda run: (place.get(run.name, len(place)), _natural(run.name)))


def _read_sweep(folder: Path) -> dict[str, Any]:
    """Return what `sweep.json` says of each run by name; nothing where it cannot be read."""
    try:
        return json.loads((folder / SWEEP).read_text(encoding="utf-8"))["runs"]
    except (OSError, ValueError, KeyError):
        return {}


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Order v2 before v10."""
    return [
        (part.isdecimal(), int(part) if part.isdecimal() else 0, part)
        for part in re.split(r"(\d+)", name)
    ]
