"""Checkpoints: one safetensors file that holds a model and how to rebuild it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from torch import Tensor

from promptreid.config.model import EmbeddingConfig
from promptreid.errors import ConfigError, PromptReIDError, RunError, WeightsError, first_line
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.heads.head import Head
from promptreid.models.interaction import Interaction
from promptreid.models.prompts.image_texts import Sentences
from promptreid.models.prompts.prompt_kinds import restore_prompt
from promptreid.models.reid import ReIDModel, tower_widths
from promptreid.models.sie import SideInformation, SideShape
from promptreid.models.towers.backbone import restore_backbone
from promptreid.models.tuning.tuning import restore_tuning
from promptreid.models.weights.tokenizer_json import JsonTokenizer
from promptreid.models.weights.weight_files import load_strictly
from promptreid.runs.record_reading import describe_error, make_tuples
from promptreid.tensors import (
    DamagedTensors,
    ForeignTensors,
    read_metadata,
    read_tensors,
    write_tensors,
)

FORMAT = 4

_KEY = "promptreid"
_TOKENIZER = "tokenizer/json"
_TRAINING = "training/"
"""Tensors whose name starts so belong to the trainer and are not weights."""


@dataclass(frozen=True, eq=False)
class SavedTraining:
    """The state that a trainer needs to go on, as it is saved beside the weights.

    Attributes:
        tensors: Tensors by name.
        values: Everything else, JSON-ready.
    """

    tensors: Mapping[str, Tensor]
    values: Mapping[str, Any]


def save_model(
    path: Path,
    model: ReIDModel,
    info: CheckpointInfo,
    *,
    training: SavedTraining | None = None,
) -> None:
    """Write a checkpoint in one step: a crash leaves the old file or the new one.

    The folder of the path is made. `training` is what training needs to go on from here; None
    where it does not go on.

    Raises:
        RunError: The file cannot be written (disk full, no permission).
    """
    tensors = dict(model.state_dict())
    record = {"format": FORMAT, "model": model.describe(), "info": info.model_dump()}
    tokenizer = model.backbone.tokenizer
    if isinstance(tokenizer, JsonTokenizer):
        packed = bytearray(zlib.compress(tokenizer.content.encode(), 9))
        tensors[_TOKENIZER] = torch.frombuffer(packed, dtype=torch.uint8)
    if training is not None:
        tensors |= {f"{_TRAINING}{name}": tensor for name, tensor in training.tensors.items()}
        record["training"] = dict(training.values)
    ready = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    try:
        write_tensors(path, ready, {_KEY: json.dumps(record)})
    except (OSError, SafetensorError) as error:
        raise RunError(
            f"The checkpoint {path} cannot be written: {first_line(error)}. An earlier checkpoint "
            "there is untouched."
        ) from error


def load_model(path: Path) -> tuple[ReIDModel, CheckpointInfo]:
    """Rebuild a model from a checkpoint, on the CPU, in eval mode, with nothing downloaded.

    Returns:
        The model, and what the checkpoint says of it.

    Raises:
        WeightsError: The file is missing, damaged, no promptreid checkpoint, of another format, or
            its weights do not fit the model it describes.
    """
    record = _read_record(path)
    info = _check_info(path, record)
    tensors = _read_tensors(path, lambda name: not name.startswith(_TRAINING))
    packed = tensors.pop(_TOKENIZER, None)
    tokenizer = None if packed is None else zlib.decompress(packed.numpy().tobytes()).decode()
    try:
        model = rebuild_model(record["model"], tokenizer)
    except PromptReIDError:
        raise
    except Exception as error:  # whatever a part makes of values that it did not write
        raise WeightsError(
            f"The description of the model in {path} is damaged ({type(error).__name__}: {error})."
        ) from error
    load_strictly(model, tensors, source=str(path), assign=True)
    return model.eval(), info


def read_info(path: Path) -> CheckpointInfo:
    """Read what a checkpoint says of its model, without the weights.

    Raises:
        WeightsError: The file is missing, damaged, no promptreid checkpoint, or of another format.
    """
    return _check_info(path, _read_record(path))


def load_training(path: Path) -> SavedTraining:
    """Read what the trainer saved beside the weights.

    Raises:
        RunError: The checkpoint was saved without a training state.
        WeightsError: The file is not a readable checkpoint.
    """
    record = _read_record(path)
    if "training" not in record:
        raise RunError(f"{path} holds no training state, so training cannot go on from it.")
    tensors = _read_tensors(path, lambda name: name.startswith(_TRAINING))
    named = {name.removeprefix(_TRAINING): tensor for name, tensor in tensors.items()}
    return SavedTraining(named, record["training"])


def rebuild_model(description: dict[str, Any], tokenizer: str | None = None) -> ReIDModel:
    """Build an empty model of what `ReIDModel.describe` gave.

    The tokenizer is the text of the backbone's `tokenizer.json`, when it has one.

    Raises:
        ModelError: The installed OpenCLIP cannot build the backbone.
        ConfigError: Parts do not go together.
        pydantic.ValidationError: An option is missing, unknown or impossible.
    """
    backbone = restore_backbone(description["backbone"], tokenizer)
    restore_tuning(backbone.image, description["tuning"])
    prompt = interaction = head = sie = None
    if description["prompt"] is not None:
        prompt = restore_prompt(backbone, description["prompt"])
    if description["interaction"] is not None:
        options, _ = Interaction.read_description(description["interaction"])
        interaction = Interaction(options, backbone.text.embed_dim)
    if description["head"] is not None:
        options, shape = Head.read_description(description["head"])
        widths = tower_widths(backbone, prompt, interaction)
        head = Head(options, shape, widths, tower=backbone.image)
    if description["sie"] is not None:
        side = SideShape.model_validate(description["sie"])
        sie = SideInformation(**side.model_dump(), width=backbone.image.widths[1])
    return ReIDModel(
        backbone,
        prompt=prompt,
        interaction=interaction,
        sentences=Sentences(**description["sentences"]),
        head=head,
        sie=sie,
        embedding=EmbeddingConfig.model_validate(description["embedding"]),
    )


def _read_record(path: Path) -> dict[str, Any]:
    """Read the JSON part of a checkpoint."""
    if not path.is_file():
        raise WeightsError(f"There is no checkpoint at {path}.")
    try:
        text = read_metadata(path).get(_KEY)
    except ForeignTensors as error:
        raise WeightsError(
            f"{path} is not a checkpoint of promptreid: {error}. To start from its weights, give "
            "the file as `backbone.pretrained`."
        ) from error
    except DamagedTensors as error:
        raise _damage_error(path, error) from error
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


def _check_info(path: Path, record: Mapping[str, Any]) -> CheckpointInfo:
    try:
        return CheckpointInfo.model_validate(make_tuples(record.get("info")))
    except (ValidationError, ConfigError) as error:
        reason = describe_error(error) if isinstance(error, ValidationError) else str(error)
        raise _damage_error(
            path, f"what it says of its model is wrong, {reason.rstrip('.')}"
        ) from error


def _read_tensors(path: Path, wanted: Callable[[str], bool]) -> dict[str, Tensor]:
    try:
        return read_tensors(path, wanted)[0]
    except DamagedTensors as error:
        raise _damage_error(path, error) from error


def _damage_error(path: Path, reason: DamagedTensors | str) -> WeightsError:
    return WeightsError(
        f"{path} is not a readable checkpoint: {reason}. Put it back from a copy; a checkpoint to "
        "resume from may also be removed, and training begins again."
    )
