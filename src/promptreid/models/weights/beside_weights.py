"""What a file beside the weights says of them: the activation, and the pixels they were given."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from promptreid.data.images.preprocess import Preprocess
from promptreid.errors import ConfigError, WeightsError

FindFile = Callable[[str], Path | None]
"""Gives the path of a file that lies beside the weights, None where there is none."""

OPENCLIP_CONFIG, HF_CONFIG = "open_clip_config.json", "config.json"
_HF_PIXELS = "preprocessor_config.json"
_QUICK_GELU = "quick_gelu"


def read_openclip_config(find: FindFile, native: Preprocess) -> tuple[bool | None, Preprocess]:
    """Read what OpenCLIP writes beside its weights.

    Args:
        find: Finds the file.
        native: What holds where it says nothing.

    Returns:
        Whether the activation is QuickGELU, None where there is no such file; and size, mean and
        deviation of the images.

    Raises:
        WeightsError: The file cannot be read, or its numbers are no statistics of pixels.
    """
    file = find(OPENCLIP_CONFIG)
    if file is None:
        return None, native
    config = _read_object(file)
    model = _object(config, "model_cfg", file)
    pixels = _object(config, "preprocess_cfg", file)
    size = pixels.get("size", _object(model, "vision_cfg", file).get("image_size"))
    native = _with_pixels(native, pixels.get("mean"), pixels.get("std"), size, file)
    return bool(model.get("quick_gelu", False)), native


def read_hf_config(find: FindFile, native: Preprocess) -> tuple[bool, Preprocess]:
    """Read what transformers writes beside its weights, which alone tells the activation.

    Args:
        find: Finds the files.
        native: What holds where they say nothing.

    Returns:
        Whether the activation is QuickGELU; and size, mean and deviation of the images.

    Raises:
        WeightsError: There is no `config.json`, or a file cannot be read.
    """
    file = find(HF_CONFIG)
    if file is None:
        raise WeightsError(
            f"These weights are named as transformers names them, and no {HF_CONFIG} lies beside "
            "them, which alone says whether the activation is QuickGELU or GELU. Copy it from the "
            "page of the model to the folder of the weights."
        )
    vision = _object(_read_object(file), "vision_config", file)
    quick = vision.get("hidden_act", _QUICK_GELU) == _QUICK_GELU
    pixels = find(_HF_PIXELS)
    stated = {} if pixels is None else _read_object(pixels)
    mean, std = stated.get("image_mean"), stated.get("image_std")
    return quick, _with_pixels(native, mean, std, vision.get("image_size"), pixels or file)


def _with_pixels(native: Preprocess, mean: Any, std: Any, size: Any, file: Path) -> Preprocess:
    """Put the statistics that a file states in the place of those that would hold."""
    sides = [size, size] if isinstance(size, int) else size
    stated = {"mean": mean, "std": std, "image_size": sides}
    try:
        given = {key: tuple(value) for key, value in stated.items() if value is not None}
        return Preprocess.from_dict({**native.to_dict(), **given})
    except (ConfigError, TypeError, ValueError) as error:
        raise WeightsError(f"{file} states no statistics of pixels: {error}") from error


def _read_object(file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{file} cannot be read as JSON: {error}.") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{file} is no configuration of a model, which is a JSON object.")
    return content


def _object(values: Mapping[str, Any], key: str, file: Path) -> Mapping[str, Any]:
    value = values.get(key, {})
    if not isinstance(value, dict):
        raise WeightsError(f"{file}: {key} must be an object.")
    return value
