"""Read `--track` options, and make the trackers they name."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from promptreid.errors import ConfigError, unknown_name

if TYPE_CHECKING:
    from promptreid.tracking.tracker import Tracker


KINDS: Mapping[str, str] = MappingProxyType(
    {"tensorboard": "TensorBoardTracker", "wandb": "WandbTracker", "mlflow": "MlflowTracker"}
)
"""Class of each kind of tracker, whose package, extra and file here have the name of the kind."""

NONE = "none"


@dataclass(frozen=True)
class TrackerSpec:
    """A tracker and the place in it.

    Attributes:
        kind: One of `KINDS`.
        place: A folder (tensorboard), a project (wandb), an experiment or address (mlflow); empty
            for the tracker's own default.
    """

    kind: str
    place: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.place}" if self.place else self.kind


def parse_trackers(texts: Sequence[str]) -> tuple[TrackerSpec, ...]:
    """Read all `--track` options of a command.

    Args:
        texts: Each `KIND` or `KIND:PLACE`; or `none` alone.

    Raises:
        ConfigError: A kind is unknown, a place is malformed, or an option is given twice.
    """
    if NONE in texts:
        if len(texts) > 1:
            raise ConfigError(f"--track none means no tracker, but there is also {list(texts)}.")
        return ()
    specs = tuple(_parse(text) for text in texts)
    for number, spec in enumerate(specs):
        if spec in specs[:number]:
            raise ConfigError(f"--track {spec} is given twice; give it once.")
    return specs


def _parse(text: str) -> TrackerSpec:
    kind, colon, place = text.partition(":")
    if kind not in KINDS:
        raise ConfigError(unknown_name("tracker", kind, [*KINDS, NONE]))
    if colon and not place:
        raise ConfigError(f"--track {text} names no place after the colon; write {kind} alone.")
    if kind == "wandb" and place and not re.fullmatch(r"([^\s/\\#?%:]+/)?[^/\\#?%:]{1,128}", place):
        raise ConfigError(
            f"--track {text} is no project: give wandb:PROJECT or wandb:ENTITY/PROJECT, "
            r"without any of / \ # ? % : in the name."
        )
    return TrackerSpec(kind, place)


def check_installed(specs: Sequence[TrackerSpec]) -> None:
    """Find trackers whose package is missing, without importing anything.

    Raises:
        ConfigError: With the command that installs it.
    """
    for spec in specs:
        if not _installed(spec.kind):
            raise ConfigError(
                f"--track {spec} needs the package {spec.kind}, which is not installed: "
                f"pip install 'promptreid[{spec.kind}]', or leave it out (a resumed run goes on "
                "without trackers with --track none)."
            )


def _installed(package: str) -> bool:
    if package in sys.modules:
        return sys.modules[package] is not None
    located = importlib.util.find_spec(package)
    # A folder ./wandb or ./mlflow of earlier results looks like a package without a file.
    return located is not None and located.origin is not None


def make_tracker(spec: TrackerSpec) -> Tracker:
    """Make the tracker a spec names; its package is imported when it starts."""
    module = importlib.import_module(f"promptreid.tracking.{spec.kind}")
    return cast("Tracker", getattr(module, KINDS[spec.kind])(spec.place))
