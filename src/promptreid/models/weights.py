"""Weight files: read them without running code in them, and fit them into a module."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from promptreid.errors import WeightsError
from promptreid.models.torchscript import is_torchscript, read_torchscript

_OPENAI_NUMBERS = ("input_resolution", "context_length", "vocab_size")
_TEXT_PARTS = (
    "token_embedding.",
    "positional_embedding",
    "transformer.",
    "ln_final.",
    "text_projection",
)
_SHOWN = 8


@dataclass(frozen=True)
class Weights:
    """Tensors of a file.

    Attributes:
        tensors: Name to tensor, on the CPU.
        openai: Whether the file bears the marks of OpenAI's own release, whose models use
            QuickGELU.
    """

    tensors: dict[str, Tensor]
    openai: bool


def read_weights(path: Path) -> Weights:
    """Read a weights file: safetensors, a PyTorch state dict or a TorchScript archive.

    Wrappers (`state_dict`, `model`, a `module.` prefix) are taken off. Nothing in the file is
    executed: pickles go through PyTorch's weights-only reader, TorchScript archives are parsed for
    their tensors.

    Raises:
        WeightsError: The file is missing, unreadable, or holds more than tensors.
    """
    if not path.is_file():
        raise WeightsError(f"There is no weights file at {path}.")
    try:
        if path.suffix == ".safetensors":
            return Weights(load_file(path), openai=False)
        if is_torchscript(path):
            tensors, openai = read_torchscript(path), True
        else:
            tensors, openai = torch.load(path, map_location="cpu", weights_only=True), False
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} holds more than weights and is not read, because a pickle can run code. Save "
            f"its state dict alone, or convert it to safetensors. ({first_line(error)})"
        ) from error
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, SafetensorError) as error:
        raise WeightsError(
            f"{path} is not a readable weights file: {first_line(error)}."
        ) from error
    except zipfile.BadZipFile as error:
        raise WeightsError(f"{path} is damaged: {first_line(error)}.") from error
    return _unwrap(tensors, path, openai=openai)


def _unwrap(content: object, path: Path, *, openai: bool) -> Weights:
    for wrapper in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping):
        raise WeightsError(
            f"{path} holds a {type(content).__name__}, not a table of named tensors."
        )
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise WeightsError(f"{path} holds no tensors.")
    if all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    openai = openai or all(name in tensors for name in _OPENAI_NUMBERS)
    for name in _OPENAI_NUMBERS:
        tensors.pop(name, None)
    return Weights(tensors, openai=openai)


def to_backbone_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy OpenAI or OpenCLIP weights to the names of `Backbone`, in float32.

    `visual.*` becomes `image.*`; the text tower's parts, at the top or below `text.`, become
    `text.*`.
    """
    renamed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name == "attn_mask" or name.endswith(".attn_mask"):
            continue
        if name.startswith("visual."):
            name = "image." + name.removeprefix("visual.")
        elif name.startswith(_TEXT_PARTS):
            name = "text." + name
        kind = torch.float32 if tensor.is_floating_point() else tensor.dtype
        renamed[name] = tensor.to(kind, copy=True)
    return renamed


def load_strictly(
    module: nn.Module, tensors: Mapping[str, Tensor], *, source: str, assign: bool = False
) -> None:
    """Put weights into a module, all of them and nothing else.

    Args:
        module: What the weights are for.
        tensors: Weights by the module's own names.
        source: Where they come from, for the message.
        assign: Take the tensors themselves instead of copying them into the module's own.

    Raises:
        WeightsError: A weight is missing, unknown or has another shape; the message lists which.
    """
    own = module.state_dict()
    missing = [name for name in own if name not in tensors]
    unknown = [name for name in tensors if name not in own]
    misshapen = [
        f"{name} ({_shape(tensors[name])} in the file, {_shape(own[name])} in the model)"
        for name in own
        if name in tensors and tensors[name].shape != own[name].shape
    ]
    problems = [
        f"{len(names)} {what}: {', '.join(names[:_SHOWN])}{', …' if len(names) > _SHOWN else ''}"
        for what, names in (
            ("missing", missing),
            ("not part of the model", unknown),
            ("of another shape", misshapen),
        )
        if names
    ]
    if problems:
        raise WeightsError(f"The weights of {source} do not fit the model. {'; '.join(problems)}.")
    module.load_state_dict(dict(tensors), assign=assign)


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its kind where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
