"""Run a model over a manifest: images in, checked embeddings out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch

from promptreid.data.loading import TestLoader
from promptreid.data.manifest import Manifest
from promptreid.data.preprocess import Preprocess
from promptreid.data.side import table_rows
from promptreid.data.store import ImageStore
from promptreid.evaluation.embeddings import Embeddings
from promptreid.models.reid import ReIDModel

_BATCH = 64


class Counter(Protocol):
    """The part of a progress reporter that embedding uses."""

    def start(self, title: str, total: int, unit: str) -> None:
        """Begin a counted task."""

    def advance(self, count: int) -> None:
        """Count on."""

    def finish(self) -> None:
        """End the counted task."""


def embed_manifest(
    model: ReIDModel,
    manifest: Manifest,
    preprocess: Preprocess,
    *,
    metadata: Mapping[str, Any],
    device: torch.device,
    batch_size: int = _BATCH,
    progress: Counter | None = None,
) -> Embeddings:
    """Embed every row of a manifest with the test transform, in float32.

    Each image is decoded and encoded once, however many repeats a protocol has. Identities go into
    the result for scoring only; the model never sees them.

    Args:
        model: In eval mode afterwards.
        manifest: Rows to embed.
        preprocess: That of the weights.
        metadata: Of the weights; `camera_values` and `view_values` give the rows of the side
            information tables.
        device: Where the model is.
        batch_size: Images per forward pass.
        progress: Where to report; None for silence.

    Returns:
        Unit vectors, row for row.

    Raises:
        UnreadableImage: An image cannot be decoded.
    """
    model.eval()
    cameras = torch.from_numpy(table_rows(manifest.cameras, metadata.get("camera_values", ())))
    views = torch.from_numpy(table_rows(manifest.views, metadata.get("view_values", ())))
    paths = [manifest.path(row) for row in range(len(manifest))]
    store = ImageStore(paths, preprocess.image_size, preprocess.test_interpolation, cache=False)
    vectors: torch.Tensor | None = None
    if progress is not None:
        progress.start(f"embedding {manifest.name}", len(paths), "images")
    # no_grad, not inference_mode: reduced precision is several times slower under the latter.
    with torch.no_grad():
        for rows, images in TestLoader(store, preprocess, batch_size, device=device).batches():
            picked = torch.as_tensor(rows)
            found = model.embed(images, cameras[picked].to(device), views[picked].to(device))
            if vectors is None:
                vectors = torch.empty(len(paths), found.shape[1])
            vectors[picked] = found.float().cpu()
            if progress is not None:
                progress.advance(len(picked))
    if progress is not None:
        progress.finish()
    return Embeddings(
        vectors=vectors if vectors is not None else torch.empty(0, 1),
        identities=tuple(
            f"{domain}/{identity}"
            for domain, identity in zip(manifest.domains, manifest.identities, strict=True)
        ),
        cameras=tuple(manifest.cameras),
        paths=tuple(manifest.paths),
    )
