"""Weight files: read them without running code in them, and fit them into a module."""

from __future__ import annotations

import argparse
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from promptreid.errors import WeightsError, first_line, parsing
from promptreid.models.weights.torchscript import is_torchscript, read_torchscript

_OPENAI_NUMBERS = ("input_resolution", "context_length", "vocab_size")
_TEXT_PARTS = (
    "token_embedding.",
    "positional_embedding",
    "transformer.",
    "ln_final.",
    "text_projection",
)
_SHOWN = 8
_MOST_CODE = 64 << 20
"""Bytes that the compressed code of an archive may unpack to."""


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

    Wrappers (`state_dict`, `model`, `teacher`, a `module.` prefix) are taken off. Nothing in the
    file is executed: pickles go through PyTorch's weights-only reader, TorchScript archives are
    parsed for their tensors.

    Raises:
        WeightsError: The file is missing, unreadable, or holds more than tensors.
    """
    if not path.is_file():
        raise WeightsError(f"There is no weights file at {path}.")
    unreadable = f"{path} is not a readable weights file"
    try:
        with parsing(WeightsError, unreadable), warnings.catch_warnings():
            # A damaged pickle may claim any protocol, of which PyTorch warns before it fails.
            warnings.simplefilter("ignore")
            content, openai = _read_content(path)
    except WeightsError as error:
        if isinstance(error.__cause__, pickle.UnpicklingError):
            raise WeightsError(
                f"{path} holds more than weights and is not read, because a pickle can run code. "
                "Save its state dict alone, or convert it to safetensors. "
                f"({first_line(error.__cause__)})"
            ) from error.__cause__
        raise
    return _unwrap(content, path, openai=openai)


def _read_content(path: Path) -> tuple[object, bool]:
    """Return what a file holds, and whether it is an archive as OpenAI publishes them."""
    if path.suffix == ".safetensors":
        return load_file(path), False
    if zipfile.is_zipfile(path):
        _check_archive(path)
        if is_torchscript(path):
            return read_torchscript(path), True
    # Files of training programs often hold their command line, which executes nothing.
    torch.serialization.add_safe_globals([argparse.Namespace])
    return torch.load(path, map_location="cpu", weights_only=True), False


def _check_archive(path: Path) -> None:
    """Refuse an archive that is damaged, or that would be far larger in memory than on disk.

    PyTorch compresses at most the code in an archive and stores tensors as they are, so that one
    which unpacks to a multiple of its size is not of its making. The checksums are the archive's.
    """
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > 2 * path.stat().st_size + _MOST_CODE:
            raise WeightsError(
                f"{path} is a compressed archive of {unpacked:,} bytes, not a file of weights as "
                "PyTorch writes it. Unpack it and give the file inside."
            )
        damaged = archive.testzip()
    if damaged is not None:
        raise WeightsError(
            f"{path} is damaged: the checksum of its part {damaged} is wrong. Copy the file again."
        )


def _unwrap(content: object, path: Path, *, openai: bool) -> Weights:
    for wrapper in ("state_dict", "model", "teacher"):  # the teacher is what DINO trains
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping):
        raise WeightsError(
            f"{path} holds a {type(content).__name__}, not a table of named tensors."
        )
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise WeightsError(f"{path} holds no tensors.")
    damaged = [name for name, value in tensors.items() if not _is_plain(value)]
    if damaged:
        raise WeightsError(
            f"{path} is damaged or no file of weights: {damaged[0]} is no array of plain numbers, "
            "or is larger than what the file holds of it."
        )
    if all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    openai = openai or all(name in tensors for name in _OPENAI_NUMBERS)
    for name in _OPENAI_NUMBERS:
        tensors.pop(name, None)
    return Weights(tensors, openai=openai)


def _is_plain(tensor: Tensor) -> bool:
    """Return whether a tensor is dense, real, and has a number in the file for each of its own."""
    if (
        tensor.layout != torch.strided
        or tensor.is_quantized
        or tensor.is_complex()
        or tensor.is_meta
    ):
        return False
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()


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
        WeightsError: A weight is missing, unknown, or has another shape or type; the message lists
            which.
    """
    current = module.state_dict()
    missing = [name for name in current if name not in tensors]
    unknown = [name for name in tensors if name not in current]
    shared = [name for name in current if name in tensors]
    misshapen = [
        f"{name} ({_shape(tensors[name])} in the file, {_shape(current[name])} in the model)"
        for name in shared
        if tensors[name].shape != current[name].shape
    ]
    mistyped = [
        f"{name} ({_kind(tensors[name])} in the file, {_kind(current[name])} in the model)"
        for name in shared
        if tensors[name].is_floating_point() != current[name].is_floating_point()
        or (assign and tensors[name].dtype != current[name].dtype)
    ]
    problems = [
        f"{len(names)} {problem}: {', '.join(names[:_SHOWN])}{', …' if len(names) > _SHOWN else ''}"
        for problem, names in (
            ("missing", missing),
            ("not part of the model", unknown),
            ("of another shape", misshapen),
            ("of another type", mistyped),
        )
        if names
    ]
    if problems:
        raise WeightsError(f"The weights of {source} do not fit the model. {'; '.join(problems)}.")
    module.load_state_dict(dict(tensors), assign=assign)


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
