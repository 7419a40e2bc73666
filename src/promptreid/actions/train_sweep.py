"""Training all runs of a sweep file, as the command `sweep` and Python do."""

from __future__ import annotations

import html
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptreid.actions.compare_scores import ComparedRuns
from promptreid.actions.train_settings import Overrides, list_settings, list_specs
from promptreid.config.sweep import find_sweep, load_sweep
from promptreid.data.images.unreadable_choice import check_choice
from promptreid.data.load_data import load_data
from promptreid.processes.asked_call import asked_call, call_text
from promptreid.progress import Lines, Progress
from promptreid.sweeps.comparison import compare_runs
from promptreid.sweeps.export import comparison_record, write_comparison
from promptreid.sweeps.run_results import read_runs
from promptreid.sweeps.run_state import RunState, read_state
from promptreid.sweeps.sweep_plan import MOST_RUNS, PlannedRun, count_runs, plan_sweep, select_runs
from promptreid.text.lists import counted, list_words
from promptreid.text.tables import plain_table

if TYPE_CHECKING:
    from promptreid.data.dataset import DataSet
    from promptreid.sweeps.run_sweep import Outcome

    Data = str | DataSet | Sequence[str | DataSet]

_MANY_RUNS = 10
_TABLES = ("md", "csv", "json")


@dataclass(frozen=True, eq=False, repr=False)
class SweptRuns:
    """The runs of a sweep. Printed, it is what `promptreid sweep` prints.

    Attributes:
        out: Folder of the runs.
        planned: The runs that were asked for.
        states: How far each was before, by name.
        outcomes: What became of all runs of the sweep, by name; none after a dry run.
        compared: Their scores side by side; None where no run has scores.
    """

    out: Path
    planned: tuple[PlannedRun, ...]
    states: Mapping[str, RunState]
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    compared: ComparedRuns | None = None

    @property
    def failed(self) -> dict[str, str]:
        """Why runs are not there, by their names."""
        return {name: one.error for name, one in self.outcomes.items() if one.error}

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, JSON-ready, as `promptreid sweep --json` writes it."""
        if not self.outcomes:
            rows = [
                {"run": run.name, "recipe": run.resolved.name, "state": self.states[run.name].kind}
                for run in self.planned
            ]
            return {"out": str(self.out), "runs": rows}
        ended = {name: outcome.to_dict() for name, outcome in self.outcomes.items()}
        table = None if self.compared is None else comparison_record(self.compared.table)
        return {"out": str(self.out), "runs": ended, "table": table}

    def size_text(self) -> str:
        """Say in a line how many runs there are, and how far they were."""
        counts = Counter(state.kind for state in self.states.values())
        states = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        groups = len({run.group for run in self.planned})
        return (
            f"{counted(len(self.planned), 'run')} ({counted(groups, 'setting')}) in {self.out}: "
            f"{states}"
        )

    def plan_text(self) -> str:
        """List the runs with their recipes and states."""
        rows = [["run", "recipe", "state"]]
        rows += [[one.name, one.resolved.name, self.states[one.name].kind] for one in self.planned]
        notes = [f"{name}: {state.note}" for name, state in self.states.items() if state.note]
        return "\n".join([self.size_text(), *plain_table(rows, right=[False] * 3), *notes])

    def tables_text(self) -> str:
        """Say where the table was written."""
        return f"wrote {self.out}/table.md, .csv and .json"

    def failure_text(self) -> str:
        """List what failed, runs of one cause together; empty where nothing did."""
        causes: dict[str, list[str]] = {}
        for name, error in self.failed.items():
            causes.setdefault(error, []).append(name)
        if not causes:
            return ""
        lines = [f"{sum(map(len, causes.values()))} of {len(self.outcomes)} runs are not there:"]
        lines += [f"  {', '.join(names)}: {error}" for error, names in causes.items()]
        if any(outcome.status == "failed" for outcome in self.outcomes.values()):
            lines.append("The same command tries those that failed again.")
        if any(outcome.details for outcome in self.outcomes.values()):
            lines.append(f"Tracebacks are in {self.out / 'sweep.json'}.")
        return "\n".join(lines)

    def __str__(self) -> str:
        if not self.outcomes:
            return self.plan_text()
        parts = [] if self.compared is None else [str(self.compared), self.tables_text()]
        return "\n".join([*parts, *filter(None, [self.failure_text()])])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        if self.compared is None:
            return f"<pre>{html.escape(str(self))}</pre>"
        failed = html.escape(self.failure_text()).replace("\n", "<br>")
        return f"{self.compared._repr_html_()}<p>{failed}</p>"


def sweep(
    file: str | os.PathLike[str],
    overrides: Overrides | None = None,
    *,
    data: Data = (),
    test: Data = (),
    out: str | os.PathLike[str] | None = None,
    dry_run: bool = False,
    only: str | Sequence[str] = (),
    seeds: int | Sequence[int] = (),
    most_runs: int = MOST_RUNS,
    device: str | None = None,
    unreadable: str = "stop",
    progress: Progress | None = None,
) -> SweptRuns:
    """Train every run of a sweep file into a folder each, and compare them.

    The arguments are the options of `promptreid sweep`. Everything is checked before anything
    trains. Stopped, the same call goes on where it was; what is complete is not trained again. A
    run that fails does not stop the others.

    Args:
        file: A YAML file, or the name of a sweep in the package, such as "hand-study".
        overrides: Settings of all runs, which win over the file.
        data: Data sets of every run, in place of those of the file.
        test: Data sets to score on and not to learn from, in place of those of the file.
        out: Folder of the runs; None for `runs/` and the name of the file.
        dry_run: Check everything and list the runs; train nothing.
        only: Train these runs only, by name; `*` stands for anything.
        seeds: Seeds of every run, in place of those of the file.
        most_runs: Refuse a sweep of more runs than this.
        device: Where to compute; None for the best there is.
        unreadable: "stop" at images that cannot be decoded, or "skip" them.
        progress: Where to report; None for lines on standard error.

    Returns:
        The runs and their table; `print` it, or look at it in a notebook.

    Raises:
        ConfigError: The file, a setting or a name in `only` is wrong.
        DataError: A data set cannot be read.
        Interrupted: It was stopped with Ctrl-C; the state is saved.
    """
    said, progress = call_text("sweep", sweep, locals()), progress or Lines()
    check_choice(unreadable)
    path = find_sweep(os.fspath(file))
    folder = Path("runs") / path.stem if out is None else Path(out)
    asked, specs = load_sweep(path), list_specs(data)
    wanted = tuple(dict.fromkeys([seeds] if isinstance(seeds, int) else seeds))
    size = count_runs(asked, data=specs, seeds=wanted)
    if _MANY_RUNS < size.runs <= most_runs:  # checking them takes a while
        progress.message(f"{path.stem}: checking {size}")
    with progress.doing("checking the runs"):
        runs = plan_sweep(
            asked,
            beside=path.parent,
            out=folder,
            data=specs,
            test=list_specs(test, argument="test"),
            overrides=list_settings(None, overrides, {}),
            seeds=wanted,
            most=most_runs,
        )
    chosen = tuple(select_runs(runs, list_words(only)))
    planned = SweptRuns(folder, chosen, {run.name: read_state(run) for run in chosen})
    if not dry_run:
        progress.message(planned.size_text())
    with progress.doing("reading the data sets"):
        _check_data(planned)
    if dry_run:
        return planned
    with asked_call((said,)):
        outcomes = _train(runs, chosen, folder, str(path), device, unreadable, progress)
    with progress.doing("comparing the runs"):
        compared = _compare(runs, folder, progress)
    return SweptRuns(folder, chosen, planned.states, outcomes, compared)


def _check_data(planned: SweptRuns) -> None:
    """Read the data sets of the runs that have something left to do, before any of them trains."""
    unfinished = [
        run for run in planned.planned if planned.states[run.name].kind in ("new", "unfinished")
    ]
    for spec in dict.fromkeys(spec for run in unfinished for spec in run.data + run.test):
        load_data(spec)


def _train(
    runs: Sequence[PlannedRun],
    chosen: Sequence[PlannedRun],
    out: Path,
    source: str,
    device: str | None,
    unreadable: str,
    progress: Progress,
) -> dict[str, Outcome]:
    """Import what trains only now, so that a dry run answers at once."""
    with progress.doing("loading PyTorch"):
        from promptreid.inference.device import pick_device
        from promptreid.sweeps.run_sweep import run_sweep

        pick_device(device)
    return run_sweep(
        runs, out=out, source=source, device=device, unreadable=unreadable, progress=progress,
        chosen=chosen,
    )  # fmt: skip


def _compare(runs: Sequence[PlannedRun], out: Path, progress: Progress) -> ComparedRuns | None:
    """Write the table of the runs that are as the sweep asks for."""
    kinds = ("complete", "unfinished")
    records = read_runs([run.out for run in runs if read_state(run).kind in kinds])
    if all(record.problem for record in records):
        progress.message("no run has scores, so there is no table")
        return None
    compared = ComparedRuns(compare_runs(records))
    for suffix in _TABLES:
        write_comparison(compared.table, out / f"table.{suffix}")
    return compared
