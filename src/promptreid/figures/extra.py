"""Packages that figures need and the rest of the project does not."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from promptreid.errors import ConfigError

INSTALL = "pip install 'promptreid[report]'"


def need(module: str) -> Any:
    """Import a module of the extra `report` by its full name, such as "matplotlib.figure".

    Raises:
        ConfigError: Its package is not installed; the command that installs it is said.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != package:
            raise  # the package is there, something it needs is not: that is not ours to explain
        raise ConfigError(f"Figures need {package}, which is not installed: {INSTALL}") from error


def missing(*packages: str) -> list[str]:
    """Return those of some packages that are not installed, without importing any."""
    return [package for package in packages if importlib.util.find_spec(package) is None]
