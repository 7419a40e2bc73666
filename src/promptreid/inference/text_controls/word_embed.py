"""The same images embedded with their own words, with words of other images, and with none."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from promptreid.data.images.image_store import ImageStore
from promptreid.data.manifest.manifest import Manifest
from promptreid.errors import EvaluationError
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.inference.embed import find_side_rows, label_embeddings, open_images
from promptreid.inference.embedder import Embedder
from promptreid.inference.embedding_loop import BATCH_SIZE, split_batch
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.image_tower import ImageFeatures
from promptreid.progress import Progress

DRAWS = 3
_MOST_BYTES = 2**30  # of image features that wait for words of other images


@dataclass(frozen=True, eq=False)
class WordEmbeddings:
    """Embeddings of the same images that differ in the words of their sentences alone.

    Attributes:
        own: Each image with the word that was computed from it.
        permuted: Each image with the word of another image, one entry a draw.
        none: Each image with the sentence that has no word.
    """

    own: Embeddings
    permuted: tuple[Embeddings, ...]
    none: Embeddings


def draw_derangement(count: int, generator: torch.Generator) -> Tensor:
    """Draw a permutation that leaves nothing in its place: one random cycle through all.

    Place i of the `count` places, at least two, gets what was in place `result[i]`.
    """
    cycle = torch.randperm(count, generator=generator)
    drawn = torch.empty_like(cycle)
    drawn[cycle] = cycle.roll(1)
    return drawn


@torch.no_grad()
def embed_words(
    embedder: Embedder,
    manifest: Manifest,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
    flip: bool = False,
    store: ImageStore | None = None,
    progress: Progress | None = None,
) -> WordEmbeddings:
    """Embed every row of a manifest with its own word, with those of other images, and with none.

    Images are decoded and run through the image tower once; what follows the tower is computed
    anew for every kind. Words are exchanged among all images where 1 GiB holds what the tower gave
    of them, else among as many consecutive ones as it holds. Everything but the word stays with the
    image, the attributes that its sentence names too. The embeddings with own words are those of
    `embed_manifest`, to the bit.

    Args:
        embedder: The model, whose retrieval vector reads the sentence of an image prompt.
        manifest: Rows to embed, at least two.
        draws: How often words are exchanged.
        seed: Seed of the exchanges.
        batch_size: Images per forward pass.
        flip: Average each vector with that of the mirrored image, which has a word of its own.
        store: What `open_images` gave for these rows; None to read them from the disk.
        progress: Where to report; None for silence.

    Raises:
        EvaluationError: No word reaches the retrieval vector, there is a single image, or no draw.
        UnreadableImage: An image cannot be decoded.
    """
    model, device = embedder.model, embedder.device
    check_words(model)
    if len(manifest) < 2 or draws < 1:
        raise EvaluationError(
            f"Exchanging words takes two images or more and one draw or more; there are "
            f"{len(manifest)} images and {draws} draws."
        )
    store = open_images(manifest, embedder.preprocess, cache=False) if store is None else store
    rows = find_side_rows(embedder, manifest)
    exchange = _Exchange(model, len(manifest), draws, torch.Generator().manual_seed(seed))
    title = f"embedding {manifest.name} with own, exchanged and no words"
    for numbers, images in embedder.batches(
        store, title=title, batch_size=batch_size, progress=progress
    ):
        for part in split_batch(images):
            here, pixels = numbers[part], images[part]
            cameras, views, variants = rows.at(here, device)
            mirrored = (model.features(pixels.flip(3), cameras, views),) if flip else ()
            exchange.add(here, (model.features(pixels, cameras, views), *mirrored), variants)
    exchange.finish()
    return WordEmbeddings(
        own=label_embeddings(exchange.own, manifest),
        permuted=tuple(label_embeddings(vectors, manifest) for vectors in exchange.permuted),
        none=label_embeddings(exchange.none, manifest),
    )


def check_words(model: ReIDModel) -> None:
    """Raise `EvaluationError` where no word of an image reaches the retrieval vector."""
    if model.image_prompt is None:
        raise EvaluationError(
            "This model has no sentence for each image (prompt.kind: image), so there is no word "
            "to exchange."
        )
    if not model.reads_sentence:
        raise EvaluationError(
            f"This model retrieves with {', '.join(model.embedding.features)}, which read no "
            "sentence, so no word can change a score (embedding.features)."
        )


@dataclass(frozen=True, eq=False)
class _Part:
    """Images that ran through the tower together.

    Attributes:
        rows: (B,) of the manifest.
        sides: Features of the images, and of their mirror images where those count.
        words: The words computed from each.
        variants: (B,) sentences of an image prompt; None where there is one or it is not known.
    """

    rows: Tensor
    sides: tuple[ImageFeatures, ...]
    words: tuple[Tensor, ...]
    variants: Tensor | None


@dataclass(eq=False)
class _Exchange:
    """Makes vectors of what the tower gives; keeps that until words can be exchanged."""

    model: ReIDModel
    count: int
    draws: int
    generator: torch.Generator
    own: Tensor = field(init=False)
    none: Tensor = field(init=False)
    permuted: Tensor = field(init=False)
    _waiting: list[_Part] = field(default_factory=list)
    _bytes: int = 0
    _seen: int = 0

    def __post_init__(self) -> None:
        width = self.model.embedding_width
        self.own, self.none = torch.empty(self.count, width), torch.empty(self.count, width)
        self.permuted = torch.empty(self.draws, self.count, width)

    def add(self, rows: Tensor, sides: tuple[ImageFeatures, ...], variants: Tensor | None) -> None:
        """Embed images with their own word and with none, and keep them for the exchange."""
        prompt = self.model.image_prompt
        assert prompt is not None
        words = tuple(prompt.words(side.projected) for side in sides)
        part = _Part(rows, sides, words, variants)
        self.own[rows] = self._vectors(part, words)
        self.none[rows] = self._vectors(part, None)
        self._waiting.append(part)
        self._seen += len(rows)
        self._bytes += sum(_bytes(side) for side in sides)
        waiting = sum(len(part.rows) for part in self._waiting)
        # An image that is left alone would have nobody to exchange its word with.
        if self._bytes >= _MOST_BYTES and waiting > 1 and self.count - self._seen != 1:
            self.finish()

    def finish(self) -> None:
        """Exchange the words of all images that are kept."""
        if not self._waiting:
            return
        sides = zip(*(part.words for part in self._waiting), strict=True)
        words = [torch.cat(of_parts) for of_parts in sides]
        for draw in range(self.draws):
            order = draw_derangement(len(words[0]), self.generator).to(words[0].device)
            start = 0
            for part in self._waiting:
                taken = order[start : start + len(part.rows)]
                start += len(part.rows)
                others = tuple(of_side[taken] for of_side in words)
                self.permuted[draw, part.rows] = self._vectors(part, others)
        self._waiting, self._bytes = [], 0

    def _vectors(self, part: _Part, words: tuple[Tensor, ...] | None) -> Tensor:
        """Embed one part with these words; None for sentences without one."""
        kind = "simplified" if words is None else "composed"
        vectors = [
            self.model.embed_features(side, part.variants, prompt=kind, words=word).float()
            for side, word in zip(part.sides, words or (None,) * len(part.sides), strict=True)
        ]
        joined = vectors[0] if len(vectors) == 1 else F.normalize(vectors[0] + vectors[1], dim=1)
        return joined.cpu()


def _bytes(features: ImageFeatures) -> int:
    tensors = (value for value in vars(features).values() if value is not None)
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
