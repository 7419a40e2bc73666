"""The folder a run leaves: recipe, environment, data, metrics, scores, checkpoints.

Each file is read here by one function, which turns any damage into a sentence.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from promptreid.config.reading.yaml_reader import YamlError, parse_yaml
from promptreid.config.recipes import dump_recipe, validate
from promptreid.config.schema import Recipe
from promptreid.errors import ConfigError, RunError
from promptreid.files import name_entries
from promptreid.hub.hub_address import is_hub_address, parse_hub_address
from promptreid.hub.hub_files import MODEL_FILE, fetch_file
from promptreid.runs import file_names as names
from promptreid.runs.metrics_table import Training, parse_metrics
from promptreid.runs.record_reading import Record, parse_record, report_damage
from promptreid.runs.run_files import RunFiles
from promptreid.runs.run_images import ImageRow, read_rows, write_rows
from promptreid.runs.run_ledger import Ledger
from promptreid.runs.run_note import clean_note
from promptreid.runs.run_place import check_free, is_run, make_in_one_step
from promptreid.runs.run_records import DataRecord, EnvironmentRecord, ScoresRecord, StatusRecord
from promptreid.text.safe import encodable


class RunFolder(RunFiles):
    """The folder of one run, which exists whole or not at all, and its typed records."""

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
        ledger = Ledger.start()
        with make_in_one_step(path) as fresh:
            (fresh / names.CHECKPOINTS).mkdir()
            ledger.write(fresh)
            made = cls(fresh)
            made.write(names.RECIPE, encodable(dump_recipe(recipe)).encode())
            made.write(names.ENVIRONMENT, _json(environment))
            made.write(names.DATA, _json([_plain(record) for record in data]))
            made.write(names.IMAGES, write_rows(images))
            made.write_note(note)
            made.write_status(StatusRecord(status="started"))
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
            raise RunError(
                f"{path} is not a run folder: it has no {names.RECIPE}; it holds "
                f"{name_entries(path)}."
            )
        return cls(path)

    @classmethod
    def checkpoint_of(cls, place: Path | str) -> Path:
        """Give the checkpoint that a name stands for, fetched from the hub where it lies there.

        Args:
            place: A run, a folder that was exported for the hub, an address on the hub, or the
                file itself.

        Raises:
            ConfigError: The address is none.
            WeightsError: It is a folder without checkpoints, or the hub does not give it.
        """
        if is_hub_address(str(place)):
            return fetch_file(parse_hub_address(str(place))).path
        path = Path(place)
        if not path.is_dir():
            return path
        exported = path / MODEL_FILE
        return exported if exported.is_file() else cls(path).weights

    @classmethod
    def of(cls, path: Path) -> RunFolder | None:
        """Find the run of a path: a run folder or a checkpoint inside one; None for others."""
        inside = path.absolute().parent
        folder = inside.parent if inside.name == names.CHECKPOINTS else path
        return cls(folder) if is_run(folder) else None

    def part(self, name: str) -> RunFolder:
        """Return a training inside this run's cache that goes on with it; it has its id."""
        part = RunFolder(self.cache / name, writes=self.writes)
        if not part.writes:
            part.id = self.id  # whoever writes may not have written it yet
        elif not part.has_ledger:
            Ledger(id=self.check_own().id, files={}).write(part.path)
        return part

    def recipe(self) -> Recipe:
        """Read the resolved recipe.

        Raises:
            RunError: The file is missing or damaged, or is no recipe of this version.
        """
        path = self.path / names.RECIPE
        content = self.read(names.RECIPE)
        try:
            tree = parse_yaml(content.decode())
            if not isinstance(tree, dict):
                raise report_damage(path, f"it holds no keys but {type(tree).__name__}")
            return validate(tree, where=str(path))
        except YamlError as error:
            raise report_damage(path, f"it is not YAML, {error}") from error
        except UnicodeDecodeError as error:
            raise report_damage(path, "it is not UTF-8") from error
        except ConfigError as error:
            raise RunError(str(error)) from error

    def status(self) -> StatusRecord:
        """Read how far the run is.

        Raises:
            RunError: The file is missing or damaged; every reader here says so.
        """
        return self._record(names.STATUS, StatusRecord)

    def environment(self) -> EnvironmentRecord:
        """Read where and how the run was made."""
        return self._record(names.ENVIRONMENT, EnvironmentRecord)

    def data(self) -> tuple[DataRecord, ...]:
        """Read what the run knows of its data sets."""
        return self._record(names.DATA, tuple[DataRecord, ...])

    def images(self) -> tuple[ImageRow, ...]:
        """Read which images the run has, who they show, and how their files looked."""
        return read_rows(self.read(names.IMAGES), self.path / names.IMAGES)

    def scores(self) -> tuple[dict[str, Any], ...]:
        """Read the scores, one mapping for each data set."""
        values = self._all_scores()
        return tuple(values.get("results", [values]))

    def note(self) -> str:
        """Read what the run is for, in the user's words; "" where there is no note."""
        path = self.path / names.NOTE
        if not path.exists():
            return ""
        try:
            return self.read(names.NOTE).decode().strip()
        except UnicodeDecodeError as error:
            raise report_damage(path, "it is not UTF-8") from error

    def domain_texts(self) -> tuple[dict[str, Any], ...]:
        """Read what the domain tokens of the run's prompts say, one mapping for each domain."""
        return tuple(self._all_scores().get("domain_texts", ()))

    def training(self) -> Training:
        """Read the table of epochs; a run that still trains may be read, too."""
        best = self.status().best
        chosen_at = "" if best is None else best.chosen_at
        content = self.read(names.METRICS)
        return parse_metrics(content, self.path / names.METRICS, chosen_at=chosen_at)

    def _record(self, name: str, kind: type[Record]) -> Record:
        return parse_record(self.read(name), kind, self.path / name)

    def _all_scores(self) -> dict[str, Any]:
        content = self.read(names.SCORES)
        parse_record(content, ScoresRecord, self.path / names.SCORES)
        return json.loads(content)

    def write_note(self, text: str) -> None:
        """Write what the run is for; "" takes the note away.

        Raises:
            RunError: It is too long, or holds characters that cannot be seen.
        """
        note = clean_note(text)
        if note:
            self.write(names.NOTE, f"{note}\n".encode())
        else:
            (self.path / names.NOTE).unlink(missing_ok=True)

    def change_note(self, text: str) -> None:
        """Give a run that nobody trains at the moment another note; "" takes its note away.

        Raises:
            RunError: It is being trained, or as `write_note`.
        """
        with self.locked():
            self.write_note(text)

    def write_status(self, status: StatusRecord) -> None:
        """Write how far the run is.

        Raises:
            RunError: The folder is not this run's any more; every writer here says so.
        """
        self.write(names.STATUS, _json(status))

    def write_scores(self, results: Sequence[Mapping[str, Any]], **more: Any) -> None:
        """Write the scores, one mapping for each data set, and what else was measured."""
        scores = results[0] if len(results) == 1 else {"results": [dict(one) for one in results]}
        self.write(names.SCORES, _json({**scores, **more}))

    def write_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the table of epochs; columns are the union of all keys, in order of appearance."""
        columns = list(dict.fromkeys(column for row in rows for column in row))
        text = io.StringIO()
        table = csv.DictWriter(text, columns, lineterminator="\n", restval="")
        table.writeheader()
        table.writerows(rows)
        self.write(names.METRICS, encodable(text.getvalue()).encode())


def _plain(record: BaseModel) -> dict[str, Any]:
    return record.model_dump(exclude_defaults=True)


def _json(value: BaseModel | Sequence[Any] | Mapping[str, Any]) -> bytes:
    plain = _plain(value) if isinstance(value, BaseModel) else value
    return encodable(json.dumps(plain, indent=2, ensure_ascii=False) + "\n").encode()
