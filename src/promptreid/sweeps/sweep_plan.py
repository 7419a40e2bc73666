"""From a sweep file to the runs it asks for, each checked before any of them trains."""

from __future__ import annotations

import fnmatch
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptreid.config.recipe_settings import flat_settings
from promptreid.config.recipes import load_recipe
from promptreid.config.schema import Recipe
from promptreid.config.sweep import Sweep, SweepRun, override_text
from promptreid.data.data_spec import parse_spec
from promptreid.data.reader_registry import reader_entry
from promptreid.errors import ConfigError, PromptReIDError, unknown_name
from promptreid.sweeps.run_names import cell_name, distinct_names, value_name
from promptreid.text.lists import counted
from promptreid.training.stage.early_stopping import validation_metric

MOST_RUNS = 1000
"""Each run is checked before any trains, and a typing error in a grid multiplies quickly."""


@dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep.

    Attributes:
        name: Name of the run's folder.
        group: Name of the settings, which all seeds share.
        label: Name in `runs` of the sweep file, empty without.
        recipe: Name or file of the recipe.
        overrides: `key=value` texts on top of the recipe.
        data: Data sets to learn from and be scored on.
        test: Further data sets to be scored on.
        seed: Seed of every random choice.
        out: Folder of the run.
        resolved: The recipe with the overrides.
    """

    name: str
    group: str
    label: str
    recipe: str
    overrides: tuple[str, ...]
    data: tuple[str, ...]
    test: tuple[str, ...]
    seed: int
    out: Path
    resolved: Recipe


@dataclass(frozen=True)
class SweepSize:
    """How many runs a sweep makes, and of what.

    Attributes:
        settings: Number of runs of the file, each as often as it is trained on other data.
        cells: Number of combinations of the grid.
        seeds: Number of seeds.
    """

    settings: int
    cells: int
    seeds: int

    @property
    def runs(self) -> int:
        """Number of all runs."""
        return self.settings * self.cells * self.seeds

    def __str__(self) -> str:
        """Write the product, without factors of one."""
        factors = {"setting": self.settings, "combination": self.cells, "seed": self.seeds}
        parts = [counted(count, word) for word, count in factors.items() if count > 1]
        made = f" ({' x '.join(parts)})" if len(parts) > 1 else ""
        return f"{counted(self.runs, 'run')}{made}"


def count_runs(sweep: Sweep, *, data: Sequence[str] = (), seeds: Sequence[int] = ()) -> SweepSize:
    """Count the runs of a sweep, without working any of them out; see `plan_sweep`."""
    settings = 0
    for run in (sweep.runs or {"": SweepRun()}).values():
        specs = data or run.data or sweep.data
        settings += 1 if (run.over or sweep.over) == "all" else len(specs)
    cells = math.prod(len(values) for values in sweep.grid.values())
    return SweepSize(settings, cells, len(seeds or sweep.seeds))


def plan_sweep(
    sweep: Sweep,
    *,
    beside: Path,
    out: Path,
    data: Sequence[str] = (),
    test: Sequence[str] = (),
    overrides: Sequence[str] = (),
    seeds: Sequence[int] = (),
    most: int = MOST_RUNS,
) -> list[PlannedRun]:
    """Work out every run of a sweep.

    The order is that of the runs in the file, then of the data sets where each has a run of its
    own, then of the grid, then of the seeds.

    In override values `{out}` stands for the sweep's folder and `{seed}` for the seed, so that a
    run can start from an earlier one: `start.checkpoint={out}/pretrain_seed{seed}`.

    Args:
        sweep: Content of the sweep file.
        beside: Folder that recipe files are named from.
        out: Folder of the runs.
        data: Data sets in place of those of the file.
        test: Further data sets to score on, in place of those of the file.
        overrides: `key=value` texts that win over the file.
        seeds: Seeds in place of those of the file.
        most: Number of runs there may be; more are refused before any is worked out.

    Raises:
        ConfigError: A recipe, an override or a data spec is wrong, two runs are the same, or there
            are more runs than `most`; all wrong settings are named at once.
    """
    size = count_runs(sweep, data=data, seeds=seeds)
    if size.runs > most:
        raise ConfigError(
            f"The sweep would make {size}, and {most:,} are the most. Leave out values of the "
            f"grid, or allow more with --most-runs {size.runs}."
        )
    settings = list(_settings(sweep, tuple(data), tuple(test)))
    groups = distinct_names(
        [setting.name or "run" for setting in settings],
        [f"{each.label} {each.data} {json.dumps(each.cell, default=str)}" for each in settings],
    )
    runs: list[PlannedRun] = []
    problems: dict[str, list[str]] = {}
    for group, one in zip(groups, settings, strict=True):
        recipe = _recipe_name(one.run.recipe or sweep.recipe or "", beside)
        cell = [override_text(*item) for item in one.cell.items()]
        texts = [*sweep.set, *one.run.set, *cell, *overrides]
        try:
            _check_specs(one.data, one.test)
            for seed in seeds or sweep.seeds:
                filled = tuple(_fill(text, out, seed) for text in texts)
                resolved = load_recipe(recipe, filled)
                validation_metric(resolved.validation)
                name = f"{group}_seed{seed}"
                run = PlannedRun(
                    name=name,
                    group=group,
                    label=one.label,
                    recipe=recipe,
                    overrides=filled,
                    data=one.data,
                    test=one.test,
                    seed=seed,
                    out=out / name,
                    resolved=resolved,
                )
                runs.append(run)
        except PromptReIDError as error:
            problems.setdefault(str(error), []).append(group)
    if problems:
        raise ConfigError(_describe_problems(problems, len(settings)))
    _check_distinct(runs)
    return runs


def select_runs(runs: Sequence[PlannedRun], names: Sequence[str]) -> list[PlannedRun]:
    """Pick runs of a sweep by name.

    Args:
        runs: All runs of a sweep.
        names: Names of folders, of settings without the seed, or of `runs` in the file; `*` stands
            for anything. Empty for all runs.

    Raises:
        ConfigError: A name fits no run.
    """
    if not names:
        return list(runs)
    picked: set[str] = set()
    for wanted in names:
        fitting = {
            run.name
            for run in runs
            if fnmatch.filter(filter(None, (run.name, run.group, run.label)), wanted)
        }
        if not fitting:
            known = dict.fromkeys(run.label or run.group for run in runs)
            raise ConfigError(unknown_name("run of this sweep", wanted, known, see="--dry-run"))
        picked |= fitting
    return [run for run in runs if run.name in picked]


@dataclass(frozen=True)
class _Setting:
    """A run of the file on some data in one cell of the grid; all seeds share it."""

    label: str
    run: SweepRun
    cell: Mapping[str, Any]
    data: tuple[str, ...]
    test: tuple[str, ...]
    place: str

    @property
    def name(self) -> str:
        return "_".join(filter(None, (self.label, self.place, cell_name(self.cell))))


def _settings(sweep: Sweep, data: tuple[str, ...], test: tuple[str, ...]) -> Iterator[_Setting]:
    """Yield each combination of run, data and grid cell."""
    for label, run in (sweep.runs or {"": SweepRun()}).items():
        specs = data or run.data or sweep.data
        tests = test or (sweep.test if run.test is None else run.test)
        for place, specs_of_run, left in _divide_data(specs, run.over or sweep.over):
            for values in itertools.product(*sweep.grid.values()):
                cell = dict(zip(sweep.grid, values, strict=True))
                yield _Setting(label, run, cell, specs_of_run, tests + left, place)


def _divide_data(
    specs: tuple[str, ...], over: str
) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Yield a name, the data sets to learn from and those left for the test."""
    if over == "all":
        yield "", specs, ()
        return
    if len(specs) < 2:
        raise ConfigError(
            f"over: {over} makes a run for each of several data sets, but there "
            f"{'is one' if specs else 'are none'}. Give --data twice or more, or over: all."
        )
    for number, spec in enumerate(specs):
        rest = specs[:number] + specs[number + 1 :]
        place = _place(spec)
        yield (place, (spec,), rest) if over == "each" else (f"without-{place}", rest, (spec,))


def _place(spec: str) -> str:
    """Name a data set by its reader and the last part of its root."""
    parsed = parse_spec(spec)
    return value_name(f"{parsed.name} {Path(parsed.root).name}")


def _recipe_name(recipe: str, beside: Path) -> str:
    if recipe.endswith((".yaml", ".yml")) and not Path(recipe).is_absolute():
        return str(beside / recipe)
    return recipe


def _fill(text: str, out: Path, seed: int) -> str:
    """Put folder and seed into an override; other braces are fields of templates."""
    return text.replace("{out}", str(out.absolute())).replace("{seed}", str(seed))


def _check_specs(specs: Sequence[str], tests: Sequence[str]) -> None:
    if not specs:
        raise ConfigError(
            "No data is named. Give --data NAME:ROOT, or data: [NAME:ROOT] in the sweep file."
        )
    for spec in (*specs, *tests):
        reader_entry(parse_spec(spec).name)


def _describe_problems(problems: Mapping[str, Sequence[str]], count: int) -> str:
    """Say what is wrong with which of so many settings."""
    wrong = len({group for groups in problems.values() for group in groups})
    lines = []
    for message, groups in problems.items():
        others = f" and {len(groups) - 1} more" if len(groups) > 1 else ""
        lines.append(f"  {groups[0]}{others}: " + message.replace("\n", "\n  "))
    at_fault = "The sweep" if count == 1 else f"{wrong} of the {count} settings of the sweep"
    return f"{at_fault} cannot be run, so nothing was trained:\n" + "\n".join(lines)


def _check_distinct(runs: Sequence[PlannedRun]) -> None:
    run_by_settings: dict[str, PlannedRun] = {}
    for run in runs:
        settings = [flat_settings(run.resolved), run.data, run.test, run.seed]
        other = run_by_settings.setdefault(json.dumps(settings, sort_keys=True), run)
        if other is not run:
            raise ConfigError(
                f"{other.group} and {run.group} are the same settings, so one of them would be "
                "trained twice. Leave one out."
            )
