"""Train the runs of a sweep one after the other."""

from __future__ import annotations

import gc
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from promptreid.errors import PromptReIDError, RunError
from promptreid.files import write_json
from promptreid.progress import Progress
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_place import is_run
from promptreid.sweeps.run_results import SWEEP
from promptreid.sweeps.run_state import read_state
from promptreid.sweeps.sweep_plan import PlannedRun
from promptreid.text.durations import clock
from promptreid.training.run.train import TrainRequest, train
from promptreid.training.stage.stop_signals import Interrupted


@dataclass
class Outcome:
    """What became of a run.

    Attributes:
        status: "waiting", "complete", "stopped", "failed"; or "changed" or "blocked", see
            `promptreid.sweeps.run_state`.
        error: Why it failed, in a sentence or a line; empty otherwise.
        details: Traceback of a failure that is not the user's.
    """

    status: str = "waiting"
    error: str = ""
    details: str = ""

    def to_dict(self) -> dict[str, str]:
        """Give what there is to say, by name."""
        return {key: value for key, value in vars(self).items() if value}


def run_sweep(
    runs: Sequence[PlannedRun],
    *,
    out: Path,
    source: str,
    device: str | None,
    unreadable: str,
    progress: Progress,
    chosen: Sequence[PlannedRun] | None = None,
) -> dict[str, Outcome]:
    """Train what is not complete; a run that fails is recorded and the others go on.

    `sweep.json` in `out` says at any time how far each run is.

    Args:
        runs: All runs of the sweep.
        out: Folder of the sweep.
        source: Name of the sweep file, for the record.
        device: Device to train on, as in `promptreid train`; None for the best one.
        unreadable: What becomes of unreadable images, as in `promptreid train`.
        progress: Where to report.
        chosen: The runs to train now; None for all.

    Returns:
        Outcome of each run by name.

    Raises:
        Interrupted: A signal asked for a stop; the state of the run at hand is saved.
        RunError: `out` is a file, or a run itself.
    """
    _check_out(out)
    complete = {run.name: read_state(run).kind == "complete" for run in runs}
    outcomes = {name: Outcome("complete" if done else "waiting") for name, done in complete.items()}
    record = {"sweep": source, "runs": outcomes}
    _write_record(out, record)
    chosen = runs if chosen is None else chosen
    for number, run in enumerate(chosen, 1):
        outcome = outcomes[run.name]
        title = f"[{number}/{len(chosen)}] {run.name}"
        try:
            _train_run(run, outcome, title, device, unreadable, progress)
        except (Interrupted, KeyboardInterrupt):
            outcome.status = "stopped"
            raise Interrupted(str(out)) from None
        finally:
            _write_record(out, record)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return outcomes


def _train_run(
    run: PlannedRun,
    outcome: Outcome,
    title: str,
    device: str | None,
    unreadable: str,
    progress: Progress,
) -> None:
    """Train one run, or say why not; only a stop is raised."""
    state = read_state(run)
    if state.kind == "complete":
        progress.message(f"{title}: complete already")
        outcome.status = "complete"
        return
    if state.kind in ("changed", "blocked"):
        outcome.status, outcome.error = state.kind, state.note
        progress.message(f"{title}: not trained. {state.note}")
        return
    progress.message(f"\n{title}" + (f": {state.note}" if state.note else ""))
    begun = time.monotonic()
    request = TrainRequest(
        recipe=run.recipe,
        overrides=run.overrides,
        data=run.data,
        test=run.test,
        out=run.out,
        seed=run.seed,
        resume=True,
        device=device,
        unreadable=unreadable,
    )
    if state.kind == "unfinished":  # compared above; the folder knows the rest
        request = TrainRequest(out=run.out, resume=True, device=device)
    try:
        folder = train(request, progress=progress)
    except Interrupted:
        raise
    except Exception as error:  # one run must not take the others down
        outcome.status, outcome.error = "failed", str(error)
        if not isinstance(error, PromptReIDError):
            outcome.error = f"{type(error).__name__}: {error}"
            outcome.details = traceback.format_exc()
        progress.message(f"{title} failed: {outcome.error}")
        return
    outcome.status = "complete"
    progress.message(f"{title}: {_score_line(folder)}{clock(time.monotonic() - begun)}")


def _score_line(folder: RunFolder) -> str:
    """Write the scores of a run as the beginning of a line that ends in its duration."""
    if not folder.has_scores:
        return "done in "
    shown = [f"mAP {one['mAP']:.2%} rank-1 {one['cmc']['1']:.2%}" for one in folder.scores()]
    return "; ".join(shown) + " in "


def _check_out(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise RunError(f"--out {out} is a file; give a folder.")
    if is_run(out):
        raise RunError(
            f"--out {out} is the folder of a run; a sweep needs one of its own for its runs."
        )


def _write_record(out: Path, record: dict[str, Any]) -> None:
    runs = {name: outcome.to_dict() for name, outcome in record["runs"].items()}
    write_json(out / SWEEP, {**record, "runs": runs})
