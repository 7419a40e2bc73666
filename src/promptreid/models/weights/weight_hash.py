"""One number for all weights of a module."""

from __future__ import annotations

import hashlib

import torch
from torch import nn


def hash_weights(module: nn.Module) -> str:
    """Return a SHA-256 in hex over names, types, shapes and content of all weights.

    Their order does not count, nor where they are.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()
