"""How far a planned run is, told from its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from promptreid.config.recipe_settings import changes
from promptreid.errors import PromptReIDError, RunError
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_place import check_free, is_run
from promptreid.sweeps.sweep_plan import PlannedRun
from promptreid.text.lists import shorten_list

_SHOWN = 4


@dataclass(frozen=True)
class RunState:
    """How far a planned run is.

    Attributes:
        kind: "new": nothing yet; "unfinished": training can go on; "complete": nothing is left to
            do; "changed": made with other settings than the sweep asks for now; "blocked": the
            folder holds something else.
        note: What a reader should know, in a sentence; may be empty.
    """

    kind: Literal["new", "unfinished", "complete", "changed", "blocked"]
    note: str = ""


def read_state(run: PlannedRun) -> RunState:
    """Look at a planned run's folder; nothing is changed."""
    if not is_run(run.out):
        try:
            check_free(run.out, overwrite=False)
        except RunError as error:
            return RunState("blocked", str(error))
        return RunState("new")
    try:
        folder = RunFolder.open(run.out)
        before, status = folder.recipe(), folder.status()
        seed, records = folder.environment().seed, folder.data()
    except PromptReIDError as error:
        return RunState("changed", str(error))
    different = changes(before, run.resolved)
    for key, role, planned in (("data", "train", run.data), ("test", "test", run.test)):
        specs = tuple(one.spec for one in records if one.role == role)
        if specs != planned:
            different[key] = (" ".join(specs) or None, " ".join(planned) or None)
    if seed != run.seed:
        different["seed"] = (seed, run.seed)
    if different:
        return RunState("changed", _changes_text(different))
    if status.complete:
        return RunState("complete")
    where = f", {status.status} {status.at}" if status.at else ""
    return RunState("unfinished", f"goes on from its last checkpoint{where}")


def _changes_text(different: Mapping[str, tuple[Any, Any]]) -> str:
    texts = []
    for key, values in different.items():
        old, new = ("absent" if value is None else value for value in values)
        texts.append(f"{key} was {old} and is now {new}")
    return (
        "The folder was made with other settings: "
        f"{shorten_list(texts, limit=_SHOWN, separator='; ')}. Put the settings back, move the "
        "folder away, or give another --out."
    )
