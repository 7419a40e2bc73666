"""Reading YAML files of recipes and sweeps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from promptreid.errors import ConfigError

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse_yaml(text: str) -> Any:
    """Read YAML text.

    Raises:
        yaml.YAMLError: It is none.
    """
    return yaml.load(text, Loader=_LOADER)


def read_tree(path: Path, *, holding: str) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Args:
        path: The file.
        holding: What the mapping holds, for the message when it is none.

    Raises:
        ConfigError: It cannot be read, is not YAML, or holds something else.
    """
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        tree = parse_yaml(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {error}{_hint(text)}") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} must hold a mapping {holding}, not {type(tree).__name__}.")
    return tree


def _hint(text: str) -> str:
    if re.search(r"=\s*[\[{]", text):
        return (
            ". A list or mapping behind = needs quotes around the whole: "
            "'backbone.image_size=[128, 64]'."
        )
    return ""
