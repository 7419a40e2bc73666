"""Run a model over a manifest: images in, checked embeddings out."""

from __future__ import annotations

from typing import Literal

import torch

from promptreid.data.images.image_store import ImageStore
from promptreid.data.images.preprocess import Preprocess
from promptreid.data.manifest.manifest import Manifest
from promptreid.evaluation.embeddings.camera_names import CameraNames
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.inference.embedder import Embedder
from promptreid.inference.embedding_loop import BATCH_SIZE, SideRows
from promptreid.models.reid import ReIDModel
from promptreid.progress import Progress


def embed_manifest(
    embedder: Embedder,
    manifest: Manifest,
    *,
    batch_size: int = BATCH_SIZE,
    flip: bool = False,
    prompt: str | None = None,
    store: ImageStore | None = None,
    progress: Progress | None = None,
) -> Embeddings:
    """Embed every row of a manifest with the test transform.

    Each image is decoded and encoded once, however many repeats a protocol has. Identities go into
    the result for scoring only; the model never sees them.

    Args:
        embedder: The model.
        manifest: Rows to embed.
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
        store = open_images(manifest, embedder.preprocess, cache=False)
    if len(store) != len(manifest):
        raise ValueError(f"There are {len(store)} opened images for {len(manifest)} rows.")
    vectors = embedder.embed_source(
        store,
        find_side_rows(embedder, manifest),
        title=f"embedding {manifest.name}" + (f", {prompt}" if prompt is not None else ""),
        batch_size=batch_size,
        flip=flip,
        prompt=prompt,
        progress=progress,
    )
    return label_embeddings(vectors, manifest)


def find_side_rows(embedder: Embedder, manifest: Manifest) -> SideRows:
    """Resolve cameras, views and sentences of a manifest's images to rows of the model's tables."""
    sides = embedder.info.sides
    return SideRows.of(
        sides.camera_rows(manifest),
        sides.view_rows(manifest),
        find_sentence_rows(embedder.model, manifest),
    )


def label_embeddings(vectors: torch.Tensor, manifest: Manifest) -> Embeddings:
    """Put unit vectors, row for row of a manifest, together with what is known of each image."""
    return Embeddings(
        vectors=vectors,
        identities=tuple("/".join(key) for key in manifest.identity_keys()),
        cameras=CameraNames(manifest.cameras),
        paths=tuple(manifest.paths),
    )


def open_images(
    manifest: Manifest, preprocess: Preprocess, *, cache: bool | Literal["auto", "disk"] = "auto"
) -> ImageStore:
    """Open the images of a manifest's rows for the test transform; none is read yet.

    Decoded images stay in memory where `cache` says so, as `ImageStore` takes it.
    """
    size, interpolation = preprocess.image_size, preprocess.test_interpolation
    return ImageStore(manifest.images(), size, interpolation, cache=cache)


def find_sentence_rows(model: ReIDModel, manifest: Manifest) -> torch.Tensor | None:
    """Give each image's sentence of an image prompt whose sentences name attributes."""
    prompt = model.image_prompt
    if prompt is None or len(prompt.variants) < 2:
        return None
    return prompt.find_variants(manifest.attributes, images=len(manifest))
