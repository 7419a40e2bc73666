"""The folder a run leaves: recipe, environment, data, metrics, scores, checkpoints."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import secrets
import shutil
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from promptreid.config.recipes import dump_recipe, validate
from promptreid.config.schema import Recipe
from promptreid.errors import RunError
from promptreid.files import write_json, write_text

RECIPE, ENVIRONMENT, DATA = "recipe.yaml", "environment.json", "data.json"
STATUS, METRICS, SCORES = "status.json", "metrics.csv", "scores.json"
LOG = "log.txt"

_EPOCH_CHECKPOINT = re.compile(r"epoch-(\d{3,})\.safetensors")


class RunFolder:
    """Paths and files of one run; the folder exists whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        recipe: Recipe,
        environment: Mapping[str, Any],
        data: Sequence[Mapping[str, Any]],
        overwrite: bool = False,
    ) -> RunFolder:
        """Make the folder with its first files, all in one step.

        Args:
            path: Where; an empty folder is used, one that is not empty is refused.
            recipe: Resolved recipe.
            environment: Versions, device, seed.
            data: One record a data set: spec, fingerprint, counts.
            overwrite: Replace an earlier run at `path`. Anything that is not a run stays refused.

        Raises:
            RunError: The folder is not empty, or cannot be written.
        """
        check_free(path, overwrite=overwrite)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
            fresh.mkdir()
            try:
                (fresh / "checkpoints").mkdir()
                write_text(fresh / RECIPE, dump_recipe(recipe))
                write_json(fresh / ENVIRONMENT, dict(environment))
                write_json(fresh / DATA, [dict(record) for record in data])
                write_json(fresh / STATUS, {"status": "started"})
                _swap(fresh, path)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
        except OSError as error:
            raise RunError(
                f"The run folder {path} cannot be written: {error.strerror or error}. "
                "Choose another place with --out."
            ) from error
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open an existing run.

        Raises:
            RunError: The folder is missing or is not a run.
        """
        if not path.is_dir():
            raise RunError(f"There is no run folder {path}.")
        if not (path / RECIPE).is_file():
            found = ", ".join(sorted(entry.name for entry in path.iterdir())[:6]) or "nothing"
            raise RunError(f"{path} is not a run folder: it has no {RECIPE}; it holds {found}.")
        return cls(path)

    @property
    def last(self) -> Path:
        """Checkpoint to resume from."""
        return self.path / "checkpoints" / "last.safetensors"

    @property
    def best(self) -> Path:
        """Checkpoint that validation chose."""
        return self.path / "checkpoints" / "best.safetensors"

    def epoch_checkpoint(self, epochs: int) -> Path:
        """Checkpoint that is kept after this many epochs of the run, over all its stages."""
        return self.path / "checkpoints" / f"epoch-{epochs:03d}.safetensors"

    def epoch_checkpoints(self) -> list[Path]:
        """Return the checkpoints of epochs that are there, the oldest first."""
        found = {
            int(match[1]): path
            for path in (self.path / "checkpoints").glob("epoch-*.safetensors")
            if (match := _EPOCH_CHECKPOINT.fullmatch(path.name))
        }
        return [path for _, path in sorted(found.items())]

    @property
    def cache(self) -> Path:
        """Folder of features that can be computed again."""
        return self.path / "cache"

    def recipe(self) -> Recipe:
        """Read the resolved recipe.

        Raises:
            ConfigError: The file was changed into something that is not a recipe.
        """
        tree = yaml.safe_load((self.path / RECIPE).read_text(encoding="utf-8"))
        return validate(tree, where=str(self.path / RECIPE))

    def read(self, name: str) -> Any:
        """Read one of the JSON files.

        Raises:
            RunError: It is missing or is not JSON.
        """
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{self.path / name} cannot be read: {error}.") from error

    def write(self, name: str, value: Any) -> None:
        """Write one of the JSON files in one step."""
        write_json(self.path / name, value)

    def write_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the table of epochs; columns are the union of all keys, in order of appearance."""
        columns: dict[str, None] = {}
        for row in rows:
            columns.update(dict.fromkeys(row))
        text = io.StringIO()
        table = csv.DictWriter(text, list(columns), lineterminator="\n", restval="")
        table.writeheader()
        table.writerows(rows)
        write_text(self.path / METRICS, text.getvalue())

    @contextlib.contextmanager
    def locked(self) -> Generator[None]:
        """Hold the run, so that two processes never train into one folder.

        Raises:
            RunError: Another process holds it.
        """
        try:
            import fcntl
        except ImportError:  # no advisory locks on this platform
            yield
            return
        with (self.path / ".lock").open("a") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(
                    f"Another process is training into {self.path}. "
                    "Wait for it, or give another --out."
                ) from None
            yield


def check_free(path: Path, *, overwrite: bool) -> None:
    """Refuse an output folder that is not empty, unless it is a run and may be overwritten.

    Raises:
        RunError: With the ways out.
    """
    if path.exists() and not path.is_dir():
        raise RunError(f"--out {path} is a file; give a folder.")
    if not path.is_dir() or not any(path.iterdir()):
        return
    is_run = (path / RECIPE).is_file()
    if overwrite and is_run:
        return
    found = ", ".join(sorted(entry.name for entry in path.iterdir())[:5])
    if overwrite:
        raise RunError(f"{path} is not a run folder (it holds {found}), so it is not overwritten.")
    ways = "--resume continues it, --overwrite replaces it, " if is_run else ""
    raise RunError(
        f"The folder {path} is not empty (it holds {found}); {ways}or give another --out."
    )


def _swap(fresh: Path, path: Path) -> None:
    if not path.exists():
        fresh.rename(path)
        return
    old = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.old")
    path.rename(old)
    fresh.rename(path)
    shutil.rmtree(old, ignore_errors=True)
