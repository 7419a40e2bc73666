"""The folder a run leaves: recipe, environment, data, metrics, scores, checkpoints.

This is the only place that knows what the files of a run are called, and each is read here by one
function that turns any damage into a sentence.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import shutil
import time
from collections.abc import Generator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from promptreid.config.reading.yaml_reader import YamlError, parse_yaml
from promptreid.config.recipes import dump_recipe, validate
from promptreid.config.schema import Recipe
from promptreid.errors import ConfigError, RunError
from promptreid.files import write_bytes
from promptreid.runs.leftovers import beside, remove_leftovers
from promptreid.runs.metrics_table import Training, parse_metrics
from promptreid.runs.record_reading import damaged, parse_record, read_content
from promptreid.runs.run_images import ImageRow, read_rows, write_rows
from promptreid.runs.run_ledger import LEDGER, Ledger, read_ledger
from promptreid.runs.run_lock import held
from promptreid.runs.run_note import clean_note
from promptreid.runs.run_records import (
    DataRecord,
    EnvironmentRecord,
    ScoresRecord,
    StatusRecord,
)
from promptreid.text.safe import encodable

_RECIPE, _ENVIRONMENT, _DATA = "recipe.yaml", "environment.json", "data.json"
_IMAGES = "images.csv"
_STATUS, _METRICS, _SCORES = "status.json", "metrics.csv", "scores.json"
_LOG, _NOTE, _CHECKPOINTS, _CACHE = "log.txt", "note.txt", "checkpoints", "cache"
_TRIES, _PAUSE = 4, 0.02

_EPOCH_CHECKPOINT = re.compile(r"epoch-(\d{3,})\.safetensors")


class RunFolder:
    """Files of one run; the folder exists whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        recipe: Recipe,
        environment: EnvironmentRecord,
        data: Sequence[DataRecord],
        images: Sequence[ImageRow] = (),
        note: str = "",
        overwrite: bool = False,
    ) -> RunFolder:
        """Make the folder with its first files, all in one step.

        Args:
            path: Where; an empty folder is used, one that is not empty is refused.
            recipe: Resolved recipe.
            environment: Versions, device, seed.
            data: One record a data set.
            images: All images of the data sets.
            note: What the run is for, in the user's words; "" for none.
            overwrite: Replace an earlier run at `path`, unless a process is training into it.
                Anything that is not a run stays refused.

        Raises:
            RunError: The folder is not empty, is in use, or cannot be written.
        """
        check_free(path, overwrite=overwrite)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = beside(path, "tmp")
            fresh.mkdir()
            try:
                (fresh / _CHECKPOINTS).mkdir()
                ledger = Ledger.start()
                ledger.write(fresh)
                made = cls(fresh)
                made._write(_RECIPE, encodable(dump_recipe(recipe)).encode())
                made._write(_ENVIRONMENT, _json(environment))
                made._write(_DATA, _json([_plain(record) for record in data]))
                made._write(_IMAGES, write_rows(images))
                made.write_note(note)
                made.write_status(StatusRecord(status="started"))
                _swap(fresh, path)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
        except OSError as error:
            raise RunError(
                f"The run folder {path} cannot be written: {error.strerror or error}. "
                "Choose another place with --out."
            ) from error
        run = cls(path)
        run.id = ledger.id
        return run

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open an existing run.

        Raises:
            RunError: The folder is missing or is not a run.
        """
        if not path.is_dir():
            raise RunError(f"There is no run folder {path}.")
        if not is_run(path):
            found = ", ".join(sorted(entry.name for entry in path.iterdir())[:6]) or "nothing"
            raise RunError(f"{path} is not a run folder: it has no {_RECIPE}; it holds {found}.")
        return cls(path)

    @classmethod
    def of(cls, path: Path) -> RunFolder | None:
        """Find the run that a path stands for.

        Args:
            path: A run folder, or a checkpoint inside one.

        Returns:
            The run; None for anything else, such as a checkpoint alone.
        """
        inside = path.absolute().parent
        folder = inside.parent if inside.name == _CHECKPOINTS else path
        return cls(folder) if is_run(folder) else None

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
        return self.path / _CHECKPOINTS / "last.safetensors"

    @property
    def best(self) -> Path:
        """Checkpoint that validation chose."""
        return self.path / _CHECKPOINTS / "best.safetensors"

    def epoch_checkpoint(self, epochs: int) -> Path:
        """Checkpoint that is kept after this many epochs of the run, over all its stages."""
        return self.path / _CHECKPOINTS / f"epoch-{epochs:03d}.safetensors"

    def epoch_checkpoints(self) -> list[Path]:
        """Return the checkpoints of epochs that are there, the oldest first."""
        found = {
            int(match[1]): path
            for path in (self.path / _CHECKPOINTS).glob("epoch-*.safetensors")
            if (match := _EPOCH_CHECKPOINT.fullmatch(path.name))
        }
        return [path for _, path in sorted(found.items())]

    @property
    def cache(self) -> Path:
        """Folder of features that can be computed again."""
        return self.path / _CACHE

    @property
    def log(self) -> Path:
        """What training said, with the time of each line."""
        return self.path / _LOG

    @property
    def described(self) -> tuple[Path, ...]:
        """Files that say what the run is and never change."""
        return tuple(self.path / name for name in (_RECIPE, _ENVIRONMENT, _DATA))

    @property
    def has_status(self) -> bool:
        """Whether there is something that says how far the run is."""
        return (self.path / _STATUS).exists()

    @property
    def has_scores(self) -> bool:
        """Whether the run was scored."""
        return (self.path / _SCORES).exists()

    @property
    def has_metrics(self) -> bool:
        """Whether there is a table of epochs."""
        return (self.path / _METRICS).exists()

    def part(self, name: str) -> RunFolder:
        """Return a training inside this run's cache that goes on with it; it has its id."""
        part = RunFolder(self.cache / name)
        if not (part.path / LEDGER).is_file():
            Ledger(id=self._own_ledger().id, files={}).write(part.path)
        return part

    def recipe(self) -> Recipe:
        """Read the resolved recipe.

        Raises:
            RunError: The file is missing or damaged, or is no recipe of this version.
        """
        path = self.path / _RECIPE
        content = self._read(_RECIPE)
        try:
            tree = parse_yaml(content.decode())
            if not isinstance(tree, dict):
                raise damaged(path, f"it holds no keys but {type(tree).__name__}")
            return validate(tree, where=str(path))
        except YamlError as error:
            raise damaged(path, f"it is not YAML, {error}") from error
        except UnicodeDecodeError as error:
            raise damaged(path, "it is not UTF-8") from error
        except ConfigError as error:
            raise RunError(str(error)) from error

    def status(self) -> StatusRecord:
        """Read how far the run is.

        Raises:
            RunError: As for every reader here, the file is missing or damaged.
        """
        return parse_record(self._read(_STATUS), StatusRecord, self.path / _STATUS)

    def environment(self) -> EnvironmentRecord:
        """Read where and how the run was made."""
        return parse_record(self._read(_ENVIRONMENT), EnvironmentRecord, self.path / _ENVIRONMENT)

    def data(self) -> tuple[DataRecord, ...]:
        """Read what the run knows of its data sets."""
        return parse_record(self._read(_DATA), tuple[DataRecord, ...], self.path / _DATA)

    def images(self) -> tuple[ImageRow, ...]:
        """Read which images the run has, who they show, and how their files looked."""
        return read_rows(self._read(_IMAGES), self.path / _IMAGES)

    def scores(self) -> tuple[dict[str, Any], ...]:
        """Read the scores, one mapping for each data set."""
        content = self._read(_SCORES)
        parse_record(content, ScoresRecord, self.path / _SCORES)
        values = json.loads(content)
        return tuple(values.get("results", [values]))

    def note(self) -> str:
        """Read what the run is for, in the user's words; "" where there is no note."""
        path = self.path / _NOTE
        if not path.exists():
            return ""
        try:
            return self._read(_NOTE).decode().strip()
        except UnicodeDecodeError as error:
            raise damaged(path, "it is not UTF-8") from error

    def domain_texts(self) -> tuple[dict[str, Any], ...]:
        """Read what the domain tokens of the run's prompts say, one mapping for each domain."""
        content = self._read(_SCORES)
        parse_record(content, ScoresRecord, self.path / _SCORES)
        return tuple(json.loads(content).get("domain_texts", ()))

    def training(self) -> Training:
        """Read the table of epochs; a run that still trains may be read, too."""
        best = self.status().best
        content = self._read(_METRICS)
        return parse_metrics(
            content, self.path / _METRICS, chosen_at="" if best is None else best.chosen_at
        )

    def write_note(self, text: str) -> None:
        """Write what the run is for; "" takes the note away.

        Raises:
            RunError: It is too long, or holds characters that cannot be seen.
        """
        note = clean_note(text)
        if note:
            self._write(_NOTE, f"{note}\n".encode())
        else:
            (self.path / _NOTE).unlink(missing_ok=True)

    def write_status(self, status: StatusRecord) -> None:
        """Write how far the run is.

        Raises:
            RunError: As for every writer here, the folder is not this run's any more.
        """
        self._write(_STATUS, _json(status))

    def write_scores(self, results: Sequence[Mapping[str, Any]], **more: Any) -> None:
        """Write the scores, one mapping for each data set, and what else was measured."""
        scores = results[0] if len(results) == 1 else {"results": [dict(one) for one in results]}
        self._write(_SCORES, _json({**scores, **more}))

    def write_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the table of epochs; columns are the union of all keys, in order of appearance."""
        columns: dict[str, None] = {}
        for row in rows:
            columns.update(dict.fromkeys(row))
        text = io.StringIO()
        table = csv.DictWriter(text, list(columns), lineterminator="\n", restval="")
        table.writeheader()
        table.writerows(rows)
        self._write(_METRICS, encodable(text.getvalue()).encode())

    def check_own(self) -> None:
        """Make sure that the folder is still there and still this run's.

        Raises:
            RunError: It was deleted, or another run stands in its place.
        """
        self._own_ledger()

    def check_id(self, checkpoint: Path, own: str) -> None:
        """Make sure that a checkpoint in the folder is this run's.

        Args:
            checkpoint: The file, for the message.
            own: The run that it names.

        Raises:
            RunError: It names another run.
        """
        if own != self.id:
            raise RunError(
                f"{checkpoint} belongs to another run (id {own}; the run in {self.path} has id "
                f"{self.id}). Put the run's own checkpoint back, or take this one to a folder of "
                "its own."
            )

    def clean(self) -> None:
        """Remove what processes that were killed have left; the run must be held."""
        remove_leftovers(self.path, inside=(self.path, self.last.parent, self.cache))

    @contextlib.contextmanager
    def locked(self) -> Generator[None]:
        """Hold the run, so that two processes never train into one folder.

        Raises:
            RunError: Another process holds it.
        """
        self.id = read_ledger(self.path).id  # whatever stands there later is another run
        with held(self.path):
            yield

    def _own_ledger(self) -> Ledger:
        own = self.id
        if not self.path.is_dir():
            raise RunError(
                f"The run folder {self.path} was deleted or moved while the run was using it. "
                "Nothing more is written; start the run anew."
            )
        ledger = read_ledger(self.path)
        if ledger.id != own:
            raise RunError(
                f"Another run (id {ledger.id}) has taken the place of this one (id {own}) in "
                f"{self.path}. Nothing more is written; start this run anew with another --out."
            )
        return ledger

    def _read(self, name: str) -> bytes:
        """Read a file that the run wrote, and make sure that it is as it was written."""
        path = self.path / name
        for attempt in range(_TRIES):
            content = read_content(path)
            if read_ledger(self.path).knows(name, content):
                return content
            time.sleep(attempt * _PAUSE)  # a run that trains may have written it in between
        raise damaged(path, "it is not as the run wrote it; it was edited, or is another run's")

    def _write(self, name: str, content: bytes) -> None:
        """Write a file in one step; `run.json` knows it before it is there."""
        self._own_ledger().with_file(name, content).write(self.path)
        write_bytes(self.path / name, content)


def is_run(path: Path) -> bool:
    """Tell whether a folder is that of a run."""
    return (path / _RECIPE).is_file()


def weights_in(folder: Path) -> Path | None:
    """Find the best checkpoint of a run folder, else its last; None where there is none."""
    run = RunFolder(folder)
    return next((path for path in (run.best, run.last) if path.is_file()), None)


def check_free(path: Path, *, overwrite: bool) -> None:
    """Refuse an output folder that is not empty, unless it is a run and may be overwritten.

    Raises:
        RunError: With the ways out.
    """
    if path.exists() and not path.is_dir():
        raise RunError(f"--out {path} is a file; give a folder.")
    if not path.is_dir() or not any(path.iterdir()):
        return
    if overwrite and is_run(path):
        with held(path):
            return
    found = ", ".join(sorted(entry.name for entry in path.iterdir())[:5])
    if overwrite:
        raise RunError(f"{path} is not a run folder (it holds {found}), so it is not overwritten.")
    ways = "--resume continues it, --overwrite replaces it, " if is_run(path) else ""
    raise RunError(
        f"The folder {path} is not empty (it holds {found}); {ways}or give another --out."
    )


def _swap(fresh: Path, path: Path) -> None:
    if not path.exists():
        fresh.rename(path)
        return
    old = beside(path, "old")
    with held(path):  # an empty folder, or a run that no process trains into
        path.rename(old)
        fresh.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def _plain(record: BaseModel) -> dict[str, Any]:
    return record.model_dump(exclude_defaults=True)


def _json(value: BaseModel | Sequence[Any] | Mapping[str, Any]) -> bytes:
    plain = _plain(value) if isinstance(value, BaseModel) else value
    return encodable(json.dumps(plain, indent=2, ensure_ascii=False) + "\n").encode()
