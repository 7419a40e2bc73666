"""One number for all of a model that embeddings depend on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

import torch

from promptreid.inference.embedder import Embedder


def fingerprint_model(embedder: Embedder) -> str:
    """Return a SHA-256 in hex over what of a model goes into an embedding.

    That is: how the model is put together, its weights in their number type, how images are
    prepared, and what the rows of its tables of cameras and views stand for. Where it computes does
    not count, nor do its threshold and its recipe.
    """
    digest, info = hashlib.sha256(), embedder.info
    described = {
        "model": embedder.model.describe(),
        "preprocess": info.preprocess.to_dict(),
        "sides": asdict(info.sides),
    }
    digest.update(json.dumps(described, sort_keys=True).encode())
    for name, tensor in sorted(embedder.model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy())
    return digest.hexdigest()
