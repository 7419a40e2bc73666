"""A recipe as a file of one's own, by whose name it is trained."""

from __future__ import annotations

from pathlib import Path

from promptreid.errors import ConfigError
from promptreid.files import write_text


def write_recipe_file(file: Path, text: str) -> None:
    """Write a recipe where nothing is, under a name by which it can be trained.

    Raises:
        ConfigError: The name does not end in .yaml, or the file is there.
    """
    if file.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"{file} must end in .yaml, so that `promptreid train {file}` reads it.")
    if file.exists():
        raise ConfigError(f"{file} exists already and is not overwritten. Give another name.")
    write_text(file, text)
