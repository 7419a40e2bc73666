"""Embeddings as one safetensors file; nothing in such a file is executed when it is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from promptreid.data.manifest.unknown_values import UnknownWords
from promptreid.errors import EvaluationError, first_line
from promptreid.evaluation.embeddings.camera_names import CameraNames
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.tensors import DamagedTensors, read_tensors, write_tensors

FORMAT = "promptreid-embeddings"
VERSION = "1"


def write_embeddings(embeddings: Embeddings, path: Path) -> Path:
    """Write embeddings as one safetensors file, completely or not at all; return its path.

    An existing file is replaced.

    Raises:
        EvaluationError: The file cannot be written.
    """
    columns = {
        "identities": embeddings.identities,
        "cameras": embeddings.cameras,
        "paths": embeddings.paths,
    }
    text = bytearray(json.dumps(columns).encode())
    tensors = {
        "vectors": embeddings.vectors.cpu().contiguous(),
        # The header of a safetensors file is limited to 100 MB, a tensor is not.
        "columns": torch.frombuffer(text, dtype=torch.uint8),
    }
    header = {
        "format": FORMAT,
        "version": VERSION,
        "normalized": json.dumps(embeddings.normalized),
    }
    try:
        write_tensors(path, tensors, header)
    except (OSError, SafetensorError) as error:
        raise EvaluationError(
            f"Embeddings cannot be written to {path}: {error}. The folder must be writable "
            "and have room."
        ) from error
    return path


def read_embeddings(path: Path) -> Embeddings:
    """Read what `write_embeddings` wrote, onto the CPU. Nothing in the file is executed.

    Raises:
        EvaluationError: The file is missing, damaged, or not a file of embeddings.
    """
    try:
        tensors, header = read_tensors(path)
        if header.get("format") != FORMAT or header.get("version") != VERSION:
            raise EvaluationError(
                f"{path} is not a file of embeddings that this version reads: its header says "
                f"format {header.get('format')!r}, version {header.get('version')!r}; expected "
                f"{FORMAT!r}, version {VERSION!r}."
            )
        columns: dict[str, Any] = json.loads(tensors["columns"].numpy().tobytes())
        cameras = columns["cameras"]
        return Embeddings(
            vectors=tensors["vectors"],
            identities=tuple(columns["identities"]),
            cameras=None
            if cameras is None
            else CameraNames.of(cameras, words=UnknownWords(keep=True)),
            paths=tuple(columns["paths"]),
            normalized=bool(json.loads(header["normalized"])),
        )
    except (DamagedTensors, OSError, ValueError, KeyError, TypeError) as error:
        raise EvaluationError(
            f"Embeddings cannot be read from {path}: {first_line(error)}. The file must be one "
            "that write_embeddings has written."
        ) from error
