"""Checkpoints: one safetensors file that holds a model and how to rebuild it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from promptreid.errors import PromptReIDError, RunError, WeightsError, first_line
from promptreid.models.heads.head import Head
from promptreid.models.interaction import Interaction
from promptreid.models.prompts.identity_prompt import IdentityPrompt
from promptreid.models.prompts.image_prompt import ImagePrompt
from promptreid.models.prompts.image_texts import Sentences
from promptreid.models.reid import EmbeddingSpec, ReIDModel
from promptreid.models.sie import SideInformation
from promptreid.models.towers.backbone import Backbone, restore_backbone
from promptreid.models.tuning.tuning import restore_tuning
from promptreid.models.weights.tokenizer_json import JsonTokenizer
from promptreid.models.weights.weight_files import load_strictly
from promptreid.tensors import DamagedTensors, ForeignTensors, read_tensors, write_tensors
from promptreid.tensors import read_metadata as read_tensor_metadata

FORMAT = 3
TRAINING = "training/"
"""Tensors whose name starts so belong to the trainer and are not weights."""

_KEY = "promptreid"
_TOKENIZER = "tokenizer/json"


def save_model(
    path: Path,
    model: ReIDModel,
    metadata: Mapping[str, Any],
    *,
    extra_tensors: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a checkpoint in one step: a crash leaves the old file or the new one.

    Args:
        path: Where; its folder is made.
        model: What to save.
        metadata: JSON-ready values. `preprocess` should be among them, since evaluation needs it;
            the keys `format` and `model` are set here.
        extra_tensors: Tensors of the trainer, their names starting with `training/`.

    Raises:
        RunError: The file cannot be written (disk full, no permission).
    """
    extra = dict(extra_tensors or {})
    if not all(name.startswith(TRAINING) for name in extra):
        raise ValueError(f"names of extra tensors must start with {TRAINING!r}")
    tensors = {
        name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()
    }
    tokenizer = model.backbone.tokenizer
    if isinstance(tokenizer, JsonTokenizer):
        packed = bytearray(zlib.compress(tokenizer.content.encode(), 9))
        tensors[_TOKENIZER] = torch.frombuffer(packed, dtype=torch.uint8)
    record = {**metadata, "format": FORMAT, "model": model.describe()}
    try:
        write_tensors(path, {**tensors, **extra}, {_KEY: json.dumps(record)})
    except (OSError, SafetensorError) as error:
        raise RunError(
            f"The checkpoint {path} cannot be written: {first_line(error)}. An earlier checkpoint "
            "there is untouched."
        ) from error


def load_model(path: Path) -> tuple[ReIDModel, dict[str, Any]]:
    """Rebuild a model from a checkpoint, on the CPU, in eval mode, with nothing downloaded.

    Returns:
        The model and the whole metadata record.

    Raises:
        WeightsError: The file is missing, damaged, no promptreid checkpoint, of a later format, or
            its weights do not fit the model it describes.
    """
    metadata = read_metadata(path)
    tensors = _read(path, lambda name: not name.startswith(TRAINING))
    packed = tensors.pop(_TOKENIZER, None)
    tokenizer = None if packed is None else zlib.decompress(packed.numpy().tobytes()).decode()
    try:
        model = _rebuild(metadata["model"], tokenizer)
    except PromptReIDError:
        raise
    except Exception as error:  # whatever a part makes of values that it did not write
        raise WeightsError(
            f"The description of the model in {path} is damaged ({type(error).__name__}: {error})."
        ) from error
    load_strictly(model, tensors, source=str(path), assign=True)
    return model.eval(), metadata


def read_metadata(path: Path) -> dict[str, Any]:
    """Read a checkpoint's metadata without its weights.

    Raises:
        WeightsError: The file is missing, damaged, no promptreid checkpoint, or of a later format.
    """
    if not path.is_file():
        raise WeightsError(f"There is no checkpoint at {path}.")
    try:
        text = read_tensor_metadata(path).get(_KEY)
    except ForeignTensors as error:
        raise WeightsError(
            f"{path} is not a checkpoint that this version of promptreid has written: {error}. To "
            "start from its weights, give the file as `backbone.pretrained`; an older checkpoint "
            "is read by the version that wrote it."
        ) from error
    except DamagedTensors as error:
        raise _damaged(path, error) from error
    record = None if text is None else json.loads(text)
    if not isinstance(record, dict) or "model" not in record:
        raise WeightsError(
            f"{path} is not a promptreid checkpoint: it holds weights without a description of the "
            "model. To start from such weights, give the file as `backbone.pretrained`."
        )
    if record.get("format") != FORMAT:
        raise WeightsError(
            f"{path} has checkpoint format {record.get('format')}; this version reads format "
            f"{FORMAT}. Read it with the version of promptreid that wrote it."
        )
    return record


def load_training(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what the trainer saved beside the weights.

    Returns:
        Tensors by full name, and the metadata's `training` record.

    Raises:
        RunError: The checkpoint was saved without a training state.
        WeightsError: The file is not a readable checkpoint.
    """
    metadata = read_metadata(path)
    if "training" not in metadata:
        raise RunError(f"{path} holds no training state, so training cannot go on from it.")
    return _read(path, lambda name: name.startswith(TRAINING)), metadata["training"]


def _rebuild(description: dict[str, Any], tokenizer: str | None) -> ReIDModel:
    backbone = restore_backbone(description["backbone"], tokenizer)
    restore_tuning(backbone.image, description["tuning"])
    parts = ("prompt", "interaction", "head", "sie")
    prompt, interaction, head, sie = (description[part] for part in parts)
    embedding = description["embedding"]
    return ReIDModel(
        backbone,
        prompt=None if prompt is None else _prompt(backbone, prompt),
        interaction=None if interaction is None else Interaction.restore(interaction),
        sentences=Sentences(**description["sentences"]),
        head=None if head is None else Head.restore(head, backbone.image),
        sie=None if sie is None else SideInformation.restore(sie),
        embedding=EmbeddingSpec(tuple(embedding["features"]), embedding["neck"]),
    )


def _prompt(backbone: Backbone, description: dict[str, Any]) -> IdentityPrompt | ImagePrompt:
    kind = ImagePrompt if description["kind"] == "image" else IdentityPrompt
    return kind.restore(backbone.text, description)


def _read(path: Path, wanted: Callable[[str], bool]) -> dict[str, Tensor]:
    try:
        return read_tensors(path, wanted)[0]
    except DamagedTensors as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: DamagedTensors) -> WeightsError:
    return WeightsError(
        f"{path} is not a readable checkpoint: {error}. Put it back from a copy; a checkpoint to "
        "resume from may also be removed, and training begins again."
    )
