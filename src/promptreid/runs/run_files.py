"""The files of a run: where they lie, whose they are, and reading and writing them as they were."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Generator
from functools import cached_property
from pathlib import Path

from promptreid.errors import RunError, WeightsError
from promptreid.files import name_entries, write_bytes
from promptreid.runs import file_names as names
from promptreid.runs.leftovers import remove_leftovers
from promptreid.runs.record_reading import read_content, report_damage
from promptreid.runs.run_ledger import Ledger, read_ledger
from promptreid.runs.run_place import hold_run

_TRIES, _PAUSE = 4, 0.02

_EPOCH_CHECKPOINT = re.compile(r"epoch-(\d{3,})\.safetensors")


class RunFiles:
    """Files of one run, of which `run.json` knows the id and what was written.

    Attributes:
        path: The folder.
        writes: Whether anything is written; of several processes that train one run, one writes and
            the others only read.
    """

    def __init__(self, path: Path, *, writes: bool = True) -> None:
        self.path, self.writes = path, writes

    @cached_property
    def id(self) -> str:
        """The run's own name, drawn when it was started.

        Raises:
            RunError: `run.json` is missing or damaged.
        """
        return read_ledger(self.path).id

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.resolve().name

    @property
    def last(self) -> Path:
        """Checkpoint to resume from."""
        return self.path / names.CHECKPOINTS / names.LAST

    @property
    def best(self) -> Path:
        """Checkpoint that validation chose."""
        return self.path / names.CHECKPOINTS / names.BEST

    @property
    def weights(self) -> Path:
        """The checkpoint that stands for the run: its best, else its last.

        Raises:
            WeightsError: It has neither.
        """
        for path in (self.best, self.last):
            if path.is_file():
                return path
        raise WeightsError(
            f"{self.path} is not a run folder: it has no checkpoints. It holds "
            f"{name_entries(self.path)}."
        )

    def epoch_checkpoint(self, epochs: int) -> Path:
        """Checkpoint that is kept after this many epochs of the run, over all its stages."""
        return self.path / names.CHECKPOINTS / f"epoch-{epochs:03d}.safetensors"

    def epoch_checkpoints(self) -> list[Path]:
        """Return the checkpoints of epochs that are there, the oldest first."""
        path_by_epochs = {
            int(match[1]): path
            for path in (self.path / names.CHECKPOINTS).glob("epoch-*.safetensors")
            if (match := _EPOCH_CHECKPOINT.fullmatch(path.name))
        }
        return [path for _, path in sorted(path_by_epochs.items())]

    @property
    def cache(self) -> Path:
        """Folder of features that can be computed again."""
        return self.path / names.CACHE

    @property
    def log(self) -> Path:
        """The file of what training said, with the time of each line."""
        return self.path / names.LOG

    @property
    def described(self) -> tuple[Path, ...]:
        """Files that say what the run is and never change."""
        return tuple(self.path / name for name in (names.RECIPE, names.ENVIRONMENT, names.DATA))

    @property
    def has_ledger(self) -> bool:
        """Tell whether there is something that says which run this is."""
        return (self.path / names.LEDGER).is_file()

    @property
    def has_status(self) -> bool:
        """Tell whether there is something that says how far the run is."""
        return (self.path / names.STATUS).exists()

    @property
    def has_scores(self) -> bool:
        """Tell whether the run was scored."""
        return (self.path / names.SCORES).exists()

    @property
    def has_metrics(self) -> bool:
        """Tell whether there is a table of epochs."""
        return (self.path / names.METRICS).exists()

    def check_id(self, checkpoint: Path, run_id: str) -> None:
        """Make sure that the run which a checkpoint in the folder names is this one.

        Raises:
            RunError: It names another run.
        """
        if run_id != self.id:
            raise RunError(
                f"{checkpoint} belongs to another run (id {run_id}; the run in {self.path} has id "
                f"{self.id}). Put the run's own checkpoint back, or take this one to a folder of "
                "its own."
            )

    def clean(self) -> None:
        """Remove what processes that were killed have left; the run must be held."""
        if not self.writes:
            return
        remove_leftovers(self.path, inside=(self.path, self.last.parent, self.cache))

    @contextlib.contextmanager
    def locked(self) -> Generator[None]:
        """Hold the run, so that two processes never train into one folder.

        Raises:
            RunError: Another process holds it.
        """
        self.id = read_ledger(self.path).id  # whatever stands there later is another run
        if not self.writes:
            yield
            return
        with hold_run(self.path):
            yield

    def check_own(self) -> Ledger:
        """Make sure that the folder is still there and still this run's; return its ledger.

        Raises:
            RunError: The folder was deleted, or another run stands in its place.
        """
        run_id = self.id
        if not self.path.is_dir():
            raise RunError(
                f"The run folder {self.path} was deleted or moved while the run was using it. "
                "Nothing more is written; start the run anew."
            )
        ledger = read_ledger(self.path)
        if ledger.id != run_id:
            raise RunError(
                f"Another run (id {ledger.id}) has taken the place of this one (id {run_id}) in "
                f"{self.path}. Nothing more is written; start this run anew with another --out."
            )
        return ledger

    def read(self, name: str) -> bytes:
        """Read a file that the run wrote, and make sure that it is as it was written.

        Raises:
            RunError: It is missing or damaged.
        """
        path = self.path / name
        for attempt in range(_TRIES):
            content = read_content(path)
            if read_ledger(self.path).knows(name, content):
                return content
            time.sleep(attempt * _PAUSE)  # a run that trains may have written it in between
        raise report_damage(
            path, "it is not as the run wrote it; it was edited, or is another run's"
        )

    def write(self, name: str, content: bytes) -> None:
        """Write a file in one step; `run.json` knows it before it is there.

        Raises:
            RunError: The folder is not this run's any more.
        """
        if not self.writes:
            return
        self.check_own().with_file(name, content).write(self.path)
        write_bytes(self.path / name, content)
