"""From a sweep file to the runs it asks for, each checked before any of them trains."""

from __future__ import annotations

import fnmatch
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptreid.config.recipes import load_recipe
from promptreid.config.schema import Recipe
from promptreid.config.sweep import Sweep, SweepRun, override_text
from promptreid.errors import ConfigError, PromptReIDError, unknown_name
from promptreid.sweep.naming import cell_name, distinct_names
from promptreid.sweep.settings import flat_settings


@dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep.

    Attributes:
        name: Name of its folder.
        group: Name of its settings, which all seeds share.
        label: Its name in `runs` of the sweep file, empty without.
        recipe: Name or file of the recipe.
        overrides: `key=value` texts on top of it.
        data: Data sets to learn from and be scored on.
        test: Further ones to be scored on.
        seed: Of every random choice.
        out: Its folder.
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


def plan_sweep(
    sweep: Sweep,
    *,
    beside: Path,
    out: Path,
    data: Sequence[str] = (),
    test: Sequence[str] = (),
    overrides: Sequence[str] = (),
) -> list[PlannedRun]:
    """Work out every run of a sweep: runs in the order of the file, then the grid, then the seeds.

    In override values `{out}` stands for the sweep's folder and `{seed}` for the seed, so that a
    run can start from an earlier one: `start.checkpoint={out}/pretrain_seed{seed}`.

    Args:
        sweep: The sweep file.
        beside: Folder that recipe files are named from.
        out: Folder of the runs.
        data: Data sets in place of those of the file.
        test: Further ones to score on, in place of those of the file.
        overrides: `key=value` texts that win over the file.

    Returns:
        The runs.

    Raises:
        ConfigError: A recipe, an override or a data spec is wrong, or two runs are the same; all
            wrong settings are named at once.
    """
    settings = list(_settings(sweep))
    groups = distinct_names(
        ["_".join(filter(None, (label, cell_name(cell)))) or "run" for label, _, cell in settings],
        [f"{label} {json.dumps(cell, default=str)}" for label, _, cell in settings],
    )
    runs: list[PlannedRun] = []
    problems: dict[str, list[str]] = {}
    for group, (label, own, cell) in zip(groups, settings, strict=True):
        recipe = _recipe_name(own.recipe or sweep.recipe or "", beside)
        texts = [*sweep.set, *own.set, *(override_text(*item) for item in cell.items()), *overrides]
        specs = tuple(data) or own.data or sweep.data
        tests = tuple(test) or (sweep.test if own.test is None else own.test)
        try:
            _check_specs(specs, tests)
            for seed in sweep.seeds:
                filled = tuple(_fill(text, out, seed) for text in texts)
                resolved = load_recipe(recipe, filled)
                name = f"{group}_seed{seed}"
                runs.append(
                    PlannedRun(
                        name=name,
                        group=group,
                        label=label,
                        recipe=recipe,
                        overrides=filled,
                        data=specs,
                        test=tests,
                        seed=seed,
                        out=out / name,
                        resolved=resolved,
                    )
                )
        except PromptReIDError as error:
            problems.setdefault(str(error), []).append(group)
    if problems:
        raise ConfigError(_wrong(problems, len(settings)))
    _check_distinct(runs)
    return runs


def select_runs(runs: Sequence[PlannedRun], names: Sequence[str]) -> list[PlannedRun]:
    """Pick runs by name.

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
        found = {
            run.name
            for run in runs
            if any(
                fnmatch.fnmatchcase(name, wanted)
                for name in (run.name, run.group, run.label)
                if name
            )
        }
        if not found:
            known = dict.fromkeys(run.label or run.group for run in runs)
            raise ConfigError(unknown_name("run of this sweep", wanted, known))
        picked |= found
    return [run for run in runs if run.name in picked]


def _settings(sweep: Sweep) -> Iterator[tuple[str, SweepRun, Mapping[str, Any]]]:
    """Yield label, run and grid cell of each combination."""
    cells = [
        dict(zip(sweep.grid, values, strict=True))
        for values in itertools.product(*sweep.grid.values())
    ]
    for label, run in (sweep.runs or {"": SweepRun()}).items():
        for cell in cells:
            yield label, run, cell


def _recipe_name(recipe: str, beside: Path) -> str:
    if recipe.endswith((".yaml", ".yml")) and not Path(recipe).is_absolute():
        return str(beside / recipe)
    return recipe


def _fill(text: str, out: Path, seed: int) -> str:
    # Only these two: other braces are templates' own fields.
    return text.replace("{out}", str(out.absolute())).replace("{seed}", str(seed))


def _check_specs(specs: Sequence[str], tests: Sequence[str]) -> None:
    from promptreid.data.registry import reader_entry
    from promptreid.data.spec import parse_spec

    if not specs:
        raise ConfigError(
            "No data is named. Give --data NAME:ROOT, or data: [NAME:ROOT] in the sweep file."
        )
    for spec in (*specs, *tests):
        reader_entry(parse_spec(spec).name)


def _wrong(problems: Mapping[str, Sequence[str]], count: int) -> str:
    wrong = len({group for groups in problems.values() for group in groups})
    lines = []
    for message, groups in problems.items():
        others = f" and {len(groups) - 1} more" if len(groups) > 1 else ""
        lines.append(f"  {groups[0]}{others}: " + message.replace("\n", "\n  "))
    what = "The sweep" if count == 1 else f"{wrong} of the {count} settings of the sweep"
    return f"{what} cannot be run, so nothing was trained:\n" + "\n".join(lines)


def _check_distinct(runs: Sequence[PlannedRun]) -> None:
    seen: dict[str, PlannedRun] = {}
    for run in runs:
        settings = json.dumps(
            [flat_settings(run.resolved), run.data, run.test, run.seed], sort_keys=True
        )
        other = seen.setdefault(settings, run)
        if other is not run:
            raise ConfigError(
                f"{other.group} and {run.group} are the same settings, so one of them would be "
                "trained twice. Leave one out."
            )
