"""The typed sweep file: which runs of which recipes, on which data, with which seeds."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from promptreid.config.base import Strict, Texts, one_or_several
from promptreid.config.reading.problems import describe, problem_list
from promptreid.config.reading.trees import read_tree
from promptreid.config.reading.yaml_reader import YamlError, parse_yaml
from promptreid.errors import ConfigError, unknown_name

FOLDER = Path(__file__).parent.parent / "recipes" / "sweeps"


def override_text(key: str, value: Any) -> str:
    """Write a setting as the `key=value` of the command line.

    It is one line, from which `parse_override` reads the same key and value.
    """
    if isinstance(value, str) and "\n" not in value:
        with contextlib.suppress(YamlError):
            if parse_yaml(value) == value:
                return f"{key}={value}"
    # Our reader takes all of JSON, numbers such as 1e-05 included.
    return f"{key}={json.dumps(value, ensure_ascii=False)}"


def _overrides(value: object) -> object:
    """Read a mapping of dotted keys to values as a list of `key=value`."""
    if isinstance(value, dict):
        return [override_text(str(key), item) for key, item in value.items()]
    return one_or_several(value)


Overrides = Annotated[tuple[str, ...], BeforeValidator(_overrides)]
RunName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9+._-]{0,59}$")]
Seed = Annotated[int, Field(ge=0)]
Over = Literal["all", "each", "others"]


class SweepRun(Strict):
    """One named setting; what it leaves out is that of the sweep."""

    recipe: str | None = None
    data: Texts | None = None
    test: Texts | None = None
    over: Over | None = None
    set: Overrides = ()
    """Settings of this run; they come after the sweep's own `set`, so these win."""


class Sweep(Strict):
    """What to train and compare: every run x every cell of the grid x every seed."""

    description: str = ""
    recipe: str | None = None
    """Name of a recipe, or a YAML file beside the sweep file."""
    data: Texts = ()
    """Data sets of every run, as `--data` takes them; the command line can name others."""
    test: Texts = ()
    """Data sets that every run is also scored on and never learns from, as `--test` takes them."""
    over: Over = "all"
    """What is trained on which data: "all", one run on all data sets; "each", a run for each data
    set, on it alone; "others", a run for each, on all but it. Data sets that a run does not learn
    from are tested on."""
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0,)
    set: Overrides = ()
    """Settings of every run: `key=value` texts, or a mapping of dotted keys to values."""
    grid: dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]] = Field(default_factory=dict)
    """Dotted key to values; all combinations are run. The last key changes fastest."""
    runs: dict[RunName, SweepRun] = Field(default_factory=dict)

    @field_validator("runs", mode="before")
    @classmethod
    def _empty_runs(cls, value: Any) -> Any:
        """Read `name:` with nothing behind it as a run without settings of its own."""
        if not isinstance(value, dict):
            return value
        return {name: {} if run is None else run for name, run in value.items()}

    @model_validator(mode="after")
    def _recipes_named(self) -> Sweep:
        without = [name for name, run in self.runs.items() if run.recipe is None]
        if self.recipe is None and (without or not self.runs):
            who = f" (missing in {', '.join(without)})" if without else ""
            raise ValueError(f"give recipe: NAME for the sweep, or one in each of its runs{who}")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds: a seed is given twice: {list(self.seeds)}")
        return self

    @model_validator(mode="after")
    def _set_once(self) -> Sweep:
        """Refuse a grid key that `set` of the same runs overrides or is overridden by."""
        texts_by_place = {"set": self.set}
        texts_by_place |= {f"runs.{name}.set": run.set for name, run in self.runs.items()}
        for place, texts in texts_by_place.items():
            for text in texts:
                key, equals, _ = text.partition("=")
                if equals and key.strip() in self.grid:
                    raise ValueError(
                        f"{key.strip()} stands in both grid and {place}; keep one of them"
                    )
        return self


def sweep_names() -> list[str]:
    """Return the names of the sweep files in the package, sorted."""
    return sorted(
        path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.yaml")
    )


def find_sweep(name: str) -> Path:
    """Return the file of a sweep by its path or by a name from `sweep_names`.

    Raises:
        ConfigError: There is no such file or name.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise ConfigError(f"There is no sweep file {path}.")
        return path
    if name in sweep_names():
        return FOLDER / f"{name}.yaml"
    raise ConfigError(
        unknown_name("sweep", name, sweep_names()) + " A file of yours ends in .yaml."
    )


def load_sweep(path: Path) -> Sweep:
    """Read a sweep file.

    Raises:
        ConfigError: It cannot be read, is not YAML, or holds wrong keys or values; all of them are
            named at once.
    """
    tree = read_tree(path, holding="with recipe, data, seeds, set, grid and runs")
    try:
        return Sweep.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(
            f"Sweep file {path} {problem_list(describe(error, tree, Sweep))}"
        ) from None
