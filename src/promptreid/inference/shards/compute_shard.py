"""Compute one shard: read each image once, hash its file, decode it, embed it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from promptreid.data.batches.loading import make_ahead
from promptreid.data.images.decoding_budget import default_threads
from promptreid.data.images.image_files import UnreadableImage
from promptreid.data.images.transforms import normalize, resize
from promptreid.data.packed.image_table import ImageTable
from promptreid.inference.embed import find_side_rows
from promptreid.inference.embedder import Embedder
from promptreid.inference.embedding_loop import embed_images
from promptreid.progress import Progress


@dataclass(frozen=True, eq=False)
class ShardContent:
    """What was computed of the n readable images of a shard.

    Attributes:
        rows: (n,) int64 rows of the table, ascending.
        vectors: (n, width) float32 rows of length 1.
        hashes: SHA-256 in hex of each image's file.
        unreadable: The rows of the other images, and what is wrong with each.
    """

    rows: NDArray[np.int64]
    vectors: NDArray[np.float32]
    hashes: tuple[str, ...]
    unreadable: tuple[tuple[int, UnreadableImage], ...]


@dataclass(frozen=True, eq=False)
class _ReadBatch:
    rows: list[int]
    pixels: Tensor
    hashes: list[str]
    bad: list[tuple[int, UnreadableImage]]


def compute_shard(
    embedder: Embedder,
    table: ImageTable,
    rows: range,
    *,
    batch_size: int,
    flip: bool,
    prompt: str | None,
    progress: Progress,
) -> ShardContent:
    """Embed the images of a range of rows.

    Batches are cut at fixed rows from the first one of the shard on; an image that cannot be read
    leaves its batch smaller. What comes out hangs on nothing outside of the shard.

    Args:
        embedder: The model.
        table: The images.
        rows: Which of them.
        batch_size: Rows of a batch.
        flip: Whether to average with mirrored images.
        prompt: Kind of sentence of an image prompt.
        progress: Hears how many images are done.

    Raises:
        ConfigError: A kind of sentence is asked for that the model does not have.
    """
    sides = find_side_rows(embedder, table.manifest.select(rows))
    batches = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    parts: list[Tensor] = []
    kept: list[int] = []
    hashes: list[str] = []
    bad: list[tuple[int, UnreadableImage]] = []
    threads = default_threads()
    with ThreadPoolExecutor(threads, "promptreid-decode") as pool:

        def read(batch: range) -> _ReadBatch:
            return _read_batch(embedder, table, batch, pool, threads)

        with closing(make_ahead(read, batches)) as ahead, torch.no_grad():
            for batch, done in zip(batches, ahead, strict=True):
                if done.rows:
                    numbers = torch.tensor(done.rows) - rows.start
                    images = normalize(done.pixels.to(embedder.device), embedder.preprocess)
                    side = sides.at(numbers, embedder.device)
                    vectors = embed_images(embedder.model, images, *side, flip=flip, prompt=prompt)
                    parts.append(vectors.cpu())
                kept += done.rows
                hashes += done.hashes
                bad += done.bad
                progress.advance(len(batch))
    vectors = torch.cat(parts) if parts else torch.empty(0, embedder.width)
    return ShardContent(np.array(kept, np.int64), vectors.numpy(), tuple(hashes), tuple(bad))


def _read_batch(
    embedder: Embedder, table: ImageTable, batch: range, pool: ThreadPoolExecutor, threads: int
) -> _ReadBatch:
    """Read and decode the images of a batch in threads; those that cannot be read are set apart."""
    preprocess = embedder.preprocess
    size, interpolation = preprocess.image_size, preprocess.test_interpolation
    pixels = torch.empty((len(batch), 3, *size), dtype=torch.uint8)
    hashes: list[str] = [""] * len(batch)
    errors: list[UnreadableImage | None] = [None] * len(batch)

    def decode(places: Sequence[int]) -> None:
        for place in places:
            try:
                data = table.read(batch[place])
                hashes[place] = hashlib.sha256(data).hexdigest()
                picture = table.decode(batch[place], data)
                pixels[place] = resize(picture, size, interpolation)
            except UnreadableImage as error:
                # A fresh error: the raised one holds on to the file's bytes.
                errors[place] = UnreadableImage(error.path, error.reason)

    parts = np.array_split(np.arange(len(batch)), min(threads, len(batch)))
    for _ in pool.map(decode, [part.tolist() for part in parts]):
        pass
    good = [place for place, error in enumerate(errors) if error is None]
    return _ReadBatch(
        [batch[place] for place in good],
        pixels if len(good) == len(batch) else pixels[good],
        [hashes[place] for place in good],
        [(batch[place], error) for place, error in enumerate(errors) if error is not None],
    )
