"""Run a model over a manifest: images in, checked embeddings out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from promptreid.data.batches.loading import TestLoader
from promptreid.data.images.image_store import ImageStore
from promptreid.data.images.preprocess import Preprocess
from promptreid.data.manifest.manifest import Manifest
from promptreid.data.side_information import camera_rows, view_rows
from promptreid.evaluation.embeddings.camera_names import CameraNames
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.models.prompts.image_prompt import ImagePrompt
from promptreid.models.reid import ReIDModel

_BATCH = 64
# Images that a processor encodes at a time. The tokens of more go back to the system after every
# layer and have to be fetched page by page again, which costs a tenth of the time; those of fewer
# are no faster.
_PART = 16


class Counter(Protocol):
    """The part of a progress reporter that embedding uses."""

    def start(self, title: str, total: int, unit: str) -> None:
        """Begin a counted task."""

    def advance(self, count: int) -> None:
        """Count on."""

    def finish(self) -> None:
        """End the counted task."""

    def doing(self, text: str) -> AbstractContextManager[None]:
        """Say that something is being done while it lasts."""
        ...


def embed_images(
    model: ReIDModel,
    images: torch.Tensor,
    cameras: torch.Tensor | None = None,
    views: torch.Tensor | None = None,
    variants: torch.Tensor | None = None,
    *,
    flip: bool = False,
    prompt: str | None = None,
) -> torch.Tensor:
    """Encode a batch, averaged over each image and its mirror image if wanted.

    Args:
        model: In eval mode.
        images: (B, 3, H, W) normalised pixels.
        cameras: (B,) rows of the camera table, as in `ReIDModel.features`.
        views: (B,) rows of the view table, likewise.
        variants: (B,) sentences of an image prompt, as in `ReIDModel.derived`.
        flip: Give normalise(e(image) + e(mirror image)), both of unit length, in place of e(image).
        prompt: Kind of sentence of an image prompt, as in `ReIDModel.derived`.

    Returns:
        (B, width) float32 rows of length 1.

    Raises:
        ConfigError: As `ReIDModel.derived`.
    """
    sides = (cameras, views, variants)
    parts = []
    for rows in parts_of(images):
        own = [None if side is None else side[rows] for side in sides]
        found = model.embed(images[rows], *own, prompt=prompt).float()
        if flip:
            mirrored = model.embed(images[rows].flip(3), *own, prompt=prompt).float()
            found = torch.nn.functional.normalize(found + mirrored, dim=1)
        parts.append(found)
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def parts_of(images: torch.Tensor) -> list[slice]:
    """Say which images of a batch, (B, 3, H, W), a device encodes at a time."""
    step = _PART if images.device.type == "cpu" else max(len(images), 1)
    return [slice(start, start + step) for start in range(0, max(len(images), 1), step)]


def embed_manifest(
    model: ReIDModel,
    manifest: Manifest,
    preprocess: Preprocess,
    *,
    metadata: Mapping[str, Any],
    device: torch.device,
    batch_size: int = _BATCH,
    flip: bool = False,
    prompt: str | None = None,
    store: ImageStore | None = None,
    progress: Counter | None = None,
) -> Embeddings:
    """Embed every row of a manifest with the test transform.

    Each image is decoded and encoded once, however many repeats a protocol has. Identities go into
    the result for scoring only; the model never sees them.

    Args:
        model: In eval mode afterwards.
        manifest: Rows to embed.
        preprocess: That of the weights.
        metadata: Of the weights; `camera_values` and `view_values` give the rows of the side
            information tables, and the recipe says whether views are values of an attribute.
        device: Where the model is.
        batch_size: Images per forward pass.
        flip: Also encode the mirror image of each, and give the direction of the sum of the two
            unit vectors.
        prompt: Kind of sentence of an image prompt, "composed" or "simplified"; None for the
            model's own choice, and for models without.
        store: What `open_images` gave for these rows, to embed them more than once; None to read
            them from the disk.
        progress: Where to report; None for silence.

    Returns:
        Unit vectors, row for row.

    Raises:
        UnreadableImage: An image cannot be decoded.
        ConfigError: A kind of sentence is asked for that the model does not have.
    """
    if store is None:
        store = open_images(manifest, preprocess, cache=False)
    if len(store) != len(manifest):
        raise ValueError(f"There are {len(store)} opened images for {len(manifest)} rows.")
    vectors = embed_store(
        model,
        store,
        preprocess,
        cameras=camera_rows(manifest, metadata),
        views=view_rows(manifest, metadata),
        variants=sentence_rows(model, manifest),
        device=device,
        batch_size=batch_size,
        flip=flip,
        prompt=prompt,
        title=f"embedding {manifest.name}" + (f", {prompt}" if prompt is not None else ""),
        progress=progress,
    )
    return labelled(vectors, manifest)


def labelled(vectors: torch.Tensor, manifest: Manifest) -> Embeddings:
    """Put unit vectors, row for row of a manifest, together with what is known of each image."""
    return Embeddings(
        vectors=vectors,
        identities=tuple(
            f"{domain}/{identity}"
            for domain, identity in zip(manifest.domains, manifest.identities, strict=True)
        ),
        cameras=CameraNames(manifest.cameras),
        paths=tuple(manifest.paths),
    )


def open_images(
    manifest: Manifest, preprocess: Preprocess, *, cache: bool | Literal["auto"] = "auto"
) -> ImageStore:
    """Open the images of a manifest's rows for the test transform; none is read yet.

    Args:
        manifest: The rows.
        preprocess: That of the weights.
        cache: As for `ImageStore`.
    """
    size, interpolation = preprocess.image_size, preprocess.test_interpolation
    return ImageStore(manifest.images(), size, interpolation, cache=cache)


def embed_store(
    model: ReIDModel,
    store: ImageStore,
    preprocess: Preprocess,
    *,
    cameras: NDArray[np.int64],
    views: NDArray[np.int64],
    variants: torch.Tensor | None = None,
    device: torch.device,
    title: str,
    batch_size: int = _BATCH,
    flip: bool = False,
    prompt: str | None = None,
    progress: Counter | None = None,
) -> torch.Tensor:
    """Embed the images of a store.

    Args:
        model: In eval mode afterwards.
        store: Images resized with the test filter.
        preprocess: That of the weights.
        cameras: (N,) rows of the camera table, -1 where unknown.
        views: (N,) rows of the view table, likewise.
        variants: (N,) sentences of an image prompt; None where there is one or it is not known.
        device: Where the model is.
        title: What is reported.
        batch_size: Images per forward pass.
        flip: As in `embed_images`.
        prompt: Likewise.
        progress: Where to report; None for silence.

    Returns:
        (N, width) rows of length 1, on the CPU.

    Raises:
        UnreadableImage: An image cannot be decoded.
    """
    model.eval()
    vectors = torch.empty(len(store), model.embedding_width)
    numbers = torch.from_numpy(cameras), torch.from_numpy(views)
    if progress is not None:
        progress.start(title, len(store), "images")
    # no_grad, not inference_mode: reduced precision is several times slower under the latter.
    with torch.no_grad():
        for rows, images in TestLoader(store, preprocess, batch_size, device=device).batches():
            picked = torch.as_tensor(rows)
            sides = [side[picked].to(device) for side in numbers]
            if variants is not None:
                sides.append(variants[picked].to(device))
            vectors[picked] = embed_images(model, images, *sides, flip=flip, prompt=prompt).cpu()
            if progress is not None:
                progress.advance(len(picked))
    if progress is not None:
        progress.finish()
    return vectors


def sentence_rows(model: ReIDModel, manifest: Manifest) -> torch.Tensor | None:
    """Give each image's sentence of an image prompt whose sentences name attributes."""
    if not isinstance(model.prompt, ImagePrompt) or len(model.prompt.variants) < 2:
        return None
    return model.prompt.variants_of(manifest.attributes, images=len(manifest))
