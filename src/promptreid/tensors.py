"""Writing safetensors files in one step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from promptreid.files import replacing


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file; a crash leaves the old file or the new one.

    Args:
        path: Where; its folder is made.
        tensors: Contiguous tensors by name.
        metadata: Text by key.

    Raises:
        OSError: The file cannot be written.
        SafetensorError: Likewise, on some platforms.
    """
    with replacing(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        save_file(dict(tensors), temporary, metadata=dict(metadata))
        temporary.chmod(mode)  # safetensors makes files that only their owner can read
