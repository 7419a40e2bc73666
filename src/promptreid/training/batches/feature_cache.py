"""Features of the frozen image tower, taken once and kept in the run folder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor

from promptreid.data.images.image_store import ImageStore
from promptreid.data.images.preprocess import Preprocess
from promptreid.errors import RunError, first_line
from promptreid.inference.embedding_loop import encode_source
from promptreid.inference.run_context import RunContext
from promptreid.models.reid import ReIDModel
from promptreid.progress import Progress
from promptreid.tensors import DamagedTensors, read_tensors, write_tensors


def cached_projections(
    model: ReIDModel,
    store: ImageStore,
    preprocess: Preprocess,
    *,
    folder: Path,
    fingerprint: str,
    context: RunContext,
) -> Tensor:
    """Return the joint-space feature of every training image, (N, d) float32 on the device.

    Taken in eval mode, without augmentation and without side information, as stage 1 of CLIP-ReID
    does. The file's name is a hash of everything the features depend on (image tower weights, rows,
    preprocessing, precision), so that a stale file is never read. A damaged file is made anew.

    Args:
        model: Its image tower is used.
        store: Images resized with the test filter.
        preprocess: Size and pixel statistics.
        folder: Where to keep the file.
        fingerprint: Hash of the training rows.
        context: Where and how to compute.

    Raises:
        RunError: The file cannot be written (disk full, no permission).
    """
    key = _hash_inputs(model, preprocess, fingerprint, context)
    path = folder / f"projected-{key}.safetensors"
    shape = (len(store), model.backbone.image.widths[2])
    found = _read_features(path, shape, context.progress) if context.processes.is_first else None
    features = context.processes.of_first(found)
    if features is not None:
        return features.to(context.device)
    model.eval()

    def encode(_: Tensor, images: Tensor) -> Tensor:
        with context.forward():
            return model.features(images, use_sie=False).projected

    features = encode_source(
        model,
        store,
        preprocess,
        encode,
        width=shape[1],
        title="image features",
        progress=context.progress,
    )
    if not context.processes.is_first:
        return features.to(context.device)
    try:
        write_tensors(path, {"projected": features}, {})
    except (OSError, SafetensorError) as error:
        raise RunError(
            f"The image features cannot be kept in {path}: {first_line(error)}. Make room, or give "
            "another --out."
        ) from error
    return features.to(context.device)


def _read_features(path: Path, shape: tuple[int, int], progress: Progress) -> Tensor | None:
    """Read features of an earlier run; None where there are none, or they are damaged."""
    if not path.is_file():
        return None
    try:
        features = read_tensors(path)[0]["projected"]
        if features.shape == shape and features.dtype == torch.float32:
            return features
        why = f"they are {tuple(features.shape)} {features.dtype}"
    except (DamagedTensors, KeyError) as error:
        why = first_line(error)
    progress.message(f"kept image features are damaged ({why}) and are computed again: {path}")
    return None


def _hash_inputs(
    model: ReIDModel,
    preprocess: Preprocess,
    fingerprint: str,
    context: RunContext,
) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, value in sorted(model.backbone.image.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    record = [preprocess.to_dict(), fingerprint, context.precision, context.device.type]
    digest.update(json.dumps(record, sort_keys=True).encode())
    return digest.hexdigest()
