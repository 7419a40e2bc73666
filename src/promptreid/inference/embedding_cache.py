"""Embeddings on disk, so that a figure drawn again does not embed again."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

from promptreid.data.images.image_store import ImageStore
from promptreid.data.manifest.manifest import Manifest
from promptreid.errors import EvaluationError
from promptreid.evaluation.embeddings.embedding_files import read_embeddings, write_embeddings
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.embeddings.kept_embeddings import (
    default_embedding_cache,
    make_room,
    note_use,
)
from promptreid.evaluation.embeddings.sentence_share import SentenceShare
from promptreid.inference.embed import embed_manifest
from promptreid.inference.embedder import Embedder
from promptreid.inference.model_fingerprint import fingerprint_model
from promptreid.inference.sentence_embed import join_sentences
from promptreid.progress import Progress
from promptreid.version import __version__


def cached_embeddings(
    embedder: Embedder,
    manifest: Manifest,
    *,
    folder: Path | None,
    flip: bool = False,
    prompt: str | None = None,
    sentences: SentenceShare | None = None,
    store: ImageStore | None = None,
    batch_size: int = 64,
    progress: Progress | None = None,
) -> Embeddings:
    """Embed a manifest, or read what was embedded before.

    The many arguments are those of `embed_manifest`, where they are explained, and two more.

    Args:
        embedder: The model.
        manifest: Rows to embed.
        folder: Where embeddings are kept; None to keep none.
        flip: Also encode mirror images.
        prompt: Kind of sentence of an image prompt.
        sentences: What sentences have to say in the similarity; None for images alone.
        store: Opened images.
        batch_size: Images per forward pass.
        progress: Where to report.

    Returns:
        Unit vectors, row for row. A file that cannot be read is replaced, and one that cannot be
        written is done without.

    Raises:
        UnreadableImage: An image cannot be decoded.
    """
    path = None
    if folder is not None:
        key = embedding_key(embedder, manifest, flip=flip, prompt=prompt, sentences=sentences)
        path = folder / f"{key}.safetensors"
    if path is not None and path.is_file():
        with contextlib.suppress(EvaluationError):
            kept = read_embeddings(path)
            note_use(path)
            return kept
    embeddings = embed_manifest(
        embedder,
        manifest,
        batch_size=batch_size,
        flip=flip,
        prompt=prompt,
        store=store,
        progress=progress,
    )
    if sentences is not None:
        embeddings = join_sentences(
            embedder, manifest, embeddings, sentences, batch_size=batch_size, progress=progress
        )
    if path is not None:
        with contextlib.suppress(EvaluationError, OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_embeddings(embeddings, path)
            if folder == default_embedding_cache():  # a folder that the user names is theirs
                make_room(path.parent, spare=path)
    return embeddings


def embedding_key(
    embedder: Embedder,
    manifest: Manifest,
    *,
    flip: bool = False,
    prompt: str | None = None,
    sentences: SentenceShare | None = None,
) -> str:
    """Return a name that changes with anything that embeddings depend on.

    That is: the weights and how the model is put together, how images are prepared and whether they
    are mirrored, what sentences have to say, the rows, and size and time of change of each image
    file.
    """
    described = {
        "version": __version__,
        "model": fingerprint_model(embedder),
        "device": embedder.device.type,
        "flip": flip,
        "prompt": prompt,
        "sentences": None if sentences is None else [sentences.share, dict(sentences.templates)],
        "rows": manifest.fingerprint(),
        # Where a model knows cameras of several data sets, they hang on which of them this is.
        "cameras": embedder.info.sides.camera_rows(manifest).tolist(),
        "files": [_stamp(manifest.path(row)) for row in range(len(manifest))],
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:32]


def _stamp(path: Path) -> list[int]:
    """Return size and time of change of a file; nothing where it is missing."""
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]
