"""Safetensors files that are written in one step and know when they are damaged.

Each tensor has a CRC-32 over its type, shape and bytes, which finds every flipped bit, and the
metadata have a digest that covers those sums. A file is read in parts, and each part is checked
when it is read, on other threads than the one that reads on.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from promptreid.errors import first_line
from promptreid.files import replacing

_KEY, _CONTENT, _DIGEST, _SUMS = "promptreid", "content", "digest", "checksums"
_THREADS = 4


class DamagedTensors(Exception):  # noqa: N818 - callers turn it into an error of their own
    """A file is not a safetensors file, or not as `write_tensors` has written it."""


class ForeignTensors(DamagedTensors):
    """A file is one that `write_tensors` has not written."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file; a crash leaves the old file or the new one.

    Args:
        path: Where; its folder is made.
        tensors: Contiguous tensors by name.
        metadata: Text by key, other than "checksums".

    Raises:
        OSError: The file cannot be written.
        SafetensorError: Likewise, on some platforms.
    """
    with ThreadPoolExecutor(_threads()) as pool:
        sums = dict(zip(tensors, pool.map(_checksum, tensors.values()), strict=True))
    text = json.dumps({**metadata, _SUMS: sums})
    # One entry, since safetensors writes several in any order: equal content gives equal bytes.
    header = {_KEY: json.dumps({_CONTENT: text, _DIGEST: _digest(text)})}
    with replacing(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        save_file(dict(tensors), temporary, metadata=header)
        temporary.chmod(mode)  # safetensors makes files that only their owner can read


def read_tensors(
    path: Path, wanted: Callable[[str], bool] = lambda _: True
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read some tensors of a file that `write_tensors` has written, and its metadata.

    Each tensor gets memory of its own, aligned as PyTorch aligns it. Results of matrix products
    depend on that in the last bit, and a resumed run must not.

    Args:
        path: The file.
        wanted: Tells by name which tensors to read.

    Returns:
        Tensors by name, on the CPU, and the metadata that were given for writing.

    Raises:
        DamagedTensors: The file cannot be read, or is not as it was written.
    """
    tensors: dict[str, Tensor] = {}
    checks: dict[str, Future[str]] = {}
    try:
        with safe_open(path, framework="pt") as file, ThreadPoolExecutor(_threads()) as pool:
            metadata, sums = _checked(file)
            for name in filter(wanted, file.keys()):
                tensors[name] = file.get_tensor(name).clone()
                checks[name] = pool.submit(_checksum, tensors[name])
    except DamagedTensors:
        raise
    except Exception as error:  # whatever the parser raises
        raise DamagedTensors(first_line(error)) from error
    for name, check in checks.items():
        if check.result() != sums[name]:
            raise DamagedTensors(f"the tensor {name} is not as it was written")
    return tensors, metadata


def read_metadata(path: Path) -> dict[str, str]:
    """Read the metadata of a file that `write_tensors` has written.

    Raises:
        DamagedTensors: The file cannot be read, or its metadata are not as they were written.
    """
    return read_tensors(path, lambda _: False)[1]


def _checked(file: Any) -> tuple[dict[str, str], dict[str, str]]:
    """Return the metadata and the sum of each tensor, checked."""
    header = dict(file.metadata() or {})
    if _KEY not in header:
        raise ForeignTensors("it has no checksums")
    sealed = json.loads(header[_KEY])
    if sealed[_DIGEST] != _digest(sealed[_CONTENT]):
        raise DamagedTensors("its metadata are not as they were written")
    described = json.loads(sealed[_CONTENT])
    sums = described.pop(_SUMS)
    if set(sums) != set(file.keys()):
        raise DamagedTensors("its tensors are not those that were written")
    return described, sums


def _checksum(tensor: Tensor) -> str:
    kind = f"{tensor.dtype} {tuple(tensor.shape)}".encode()
    content = tensor.detach().reshape(-1).view(torch.uint8).numpy().data
    return f"{zlib.crc32(content, zlib.crc32(kind)):08x}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _threads() -> int:
    return min(_THREADS, os.cpu_count() or 1)
