"""Tensors of a TorchScript archive, read without running the code inside.

OpenAI published CLIP as TorchScript archives. `torch.jit.load` compiles and may run the program in
such a file; here only the pickled attributes are parsed, by an unpickler that knows tensors and
plain containers and refuses every other class.
"""

from __future__ import annotations

import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_STORAGES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


def is_torchscript(path: Path) -> bool:
    """Return whether a file is a TorchScript archive."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """Read parameters and buffers of a TorchScript module.

    Returns:
        Dotted attribute name to tensor, on the CPU.

    Raises:
        pickle.UnpicklingError: The archive refers to something that is not a tensor or container.
        zipfile.BadZipFile: The archive is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        name = next(n for n in archive.namelist() if n.count("/") == 1 and n.endswith("/data.pkl"))
        module = _Reader(archive, name.removesuffix("data.pkl")).load()
    return dict(_named_tensors(module))


class _Module:
    """A scripted module: its attributes are whatever the archive sets."""


class _Reader(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(BytesIO(archive.read(root + "data.pkl")))
        self._archive, self._root = archive, root
        self._storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "__torch__":
            return _Module
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch.jit._pickle" and name.startswith(("build_", "restore_type_tag")):
            return _keep_first
        raise pickle.UnpicklingError(f"the archive refers to {module}.{name}")

    def persistent_load(self, pid: Any) -> Tensor:
        kind, dtype, key = pid[0], pid[1], str(pid[2])
        if kind != "storage" or not isinstance(dtype, torch.dtype):
            raise pickle.UnpicklingError(f"the archive refers to an unknown {kind}")
        if key not in self._storages:
            content = bytearray(self._archive.read(f"{self._root}data/{key}"))
            numbers = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0)
            self._storages[key] = numbers.to(dtype)
        return self._storages[key]


def _rebuild_tensor(storage: Tensor, offset: int, size: Any, stride: Any, *_: object) -> Tensor:
    if math.prod(size) > storage.numel():  # a stride of zero would make gigabytes of one number
        raise ValueError(f"a tensor of shape {tuple(size)} has {storage.numel()} numbers stored")
    return storage.as_strided(tuple(size), tuple(stride), offset).clone()


def _keep_first(value: Any, *_: object) -> Any:
    return value


def _named_tensors(node: object, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    for name, value in vars(node).items():
        if isinstance(value, Tensor):
            yield prefix + name, value
        elif isinstance(value, _Module):
            yield from _named_tensors(value, f"{prefix}{name}.")
