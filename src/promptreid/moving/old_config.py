"""Read a configuration of other code: whose it is, and its values as that code reads them."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from promptreid.config.reading.yaml_reader import YamlError, parse_yaml
from promptreid.errors import ConfigError
from promptreid.text.flat_tree import flat_tree
from promptreid.text.lists import listed


def read_old_config(path: Path, changes: Sequence[str] = ()) -> dict[str, Any]:
    """Read a file as flat keys, such as `SOLVER.STAGE1.BASE_LR`.

    Args:
        path: A YAML file.
        changes: KEY VALUE KEY VALUE, as such code takes them on its command line.

    Raises:
        ConfigError: The file cannot be read, is no mapping, or a key of the changes has no value.
    """
    try:
        tree = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is no text in UTF-8, so no configuration.") from None
    except YamlError as error:
        raise ConfigError(f"{path} is not YAML that can be taken over: {error}.") from None
    if not isinstance(tree, Mapping):
        raise ConfigError(
            f"{path} holds no keys. Give the YAML file that the other code trains with."
        )
    if len(changes) % 2:
        raise ConfigError(
            f"{changes[-1]} has no value. Changes are KEY VALUE pairs, such as "
            "DATASETS.NAMES market1501."
        )
    values = {key: python_value(value) for key, value in flat_tree(tree).items()}
    pairs = zip(changes[::2], changes[1::2], strict=True)
    return values | {key: python_value(value) for key, value in pairs}


def python_value(value: Any) -> Any:
    """Read a text as the Python literal it may be, as yacs does: `1e-6`, `('market1501')`."""
    if not isinstance(value, str):
        return value
    try:
        read = ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return value
    return list(read) if isinstance(read, tuple) else read


def tell_origin(values: Mapping[str, Any]) -> str:
    """Return whose configuration it is: "CLIP-ReID", "CLIP-ReID baseline" or "CLIP-FH".

    Raises:
        ConfigError: It is of code that is not taken over, or of none that is known.
    """
    keys = set(values)
    sections = {key.split(".")[0] for key in keys}
    if {"MODEL.TRANSFORMER_TYPE", "MODEL.JPM"} & keys:
        raise _not_taken(
            "TransReID",
            "its jigsaw branch is not trained here, but promptreid evaluate FILE.pth scores what "
            "it trained",
        )
    if "MODEL.META_ARCHITECTURE" in keys or "_BASE_" in keys:
        raise _not_taken("FastReID", "its backbones and heads have no equal here")
    if {"model_cfg", "text_config", "vision_config"} & sections:
        raise ConfigError(
            "This describes weights of CLIP, not a training. To start from them, train with "
            "backbone.pretrained=FOLDER, the folder that this file and the weights lie in."
        )
    if {"dataset", "aspect"} <= keys or "variant" in keys:
        return "CLIP-FH"
    if any(key.startswith(("SOLVER.STAGE1", "SOLVER.STAGE2")) for key in keys):
        return "CLIP-ReID"
    if "SOLVER" in sections and values.get("MODEL.NAME") in ("ViT-B-16", "RN50"):
        return "CLIP-ReID baseline"
    known = listed(["CLIP-ReID's train_clipreid.py", "its train.py", "CLIP-FH"])
    raise ConfigError(
        f"This is no configuration that is known. Those of {known} can be taken over."
    )


def _not_taken(name: str, reason: str) -> ConfigError:
    return ConfigError(
        f"This is a configuration of {name}, which is not taken over: {reason}. docs/moving.md "
        "says key by key what is nearest."
    )
