"""Reading YAML files of recipes, sweeps and runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from promptreid.config.reading.yaml_reader import LARGEST_FILE, YamlError, parse_yaml
from promptreid.errors import ConfigError


def read_tree(path: Path, *, holding: str) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Args:
        path: The file.
        holding: What the mapping holds, for the message when it is none.

    Raises:
        ConfigError: It cannot be read, is not YAML, or holds something else.
    """
    text = _read_text(path)
    try:
        tree = parse_yaml(text)
    except YamlError as problem:
        raise ConfigError(f"{path} is not valid YAML: {problem}.{_hint(text)}") from None
    if isinstance(tree, dict):
        return tree
    kinds = {type(None): "is empty", list: "holds a list", str: "holds a text"}
    kinds[bool] = "holds true or false"
    fault = kinds.get(type(tree), "holds a number")
    raise ConfigError(f"{path} {fault}; it must hold a mapping {holding}.")


def _read_text(path: Path) -> str:
    """Read a text file of moderate size.

    Raises:
        ConfigError: It is not a file, is too large, cannot be read, or is not UTF-8.
    """
    try:
        if not path.is_file():  # a pipe or a device would be waited for
            raise ConfigError(f"{path} is not a file.")
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise ConfigError(f"{path} is larger than 1 MiB, so it is no recipe.")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{path} is not UTF-8: the byte 0x{error.object[error.start]:02x} in line {line}. "
            "Save it as UTF-8."
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {getattr(error, 'strerror', error)}.") from None


def _hint(text: str) -> str:
    if re.search(r"=\s*[\[{]", text):
        return (
            " A list or mapping behind = needs quotes around the whole: "
            "'backbone.image_size=[128, 64]'."
        )
    if re.search(r":\s*\{[^{}:]*\}\s*\S", text):
        return " A text that begins with { needs quotes: '{context} a photo'."
    return ""
