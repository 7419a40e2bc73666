"""Zero-shot retrieval with text: what sentences say of two images counts beside how they look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from promptreid.data.manifest.manifest import Manifest
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.embeddings.sentence_share import SentenceShare
from promptreid.inference.attributes import encode_values, project_images
from promptreid.inference.embedder import Embedder
from promptreid.inference.embedding_loop import BATCH_SIZE
from promptreid.progress import Progress


def join_sentences(
    embedder: Embedder,
    manifest: Manifest,
    embeddings: Embeddings,
    sentences: SentenceShare,
    *,
    batch_size: int = BATCH_SIZE,
    progress: Progress | None = None,
) -> Embeddings:
    """Put what sentences say of each image of a manifest beside its embedding.

    The image reads each attribute as CLIP classifies zero-shot: p_a = softmax(cos(x, t_v) / tau)
    over the values v of the attribute, tau as the backbone was pretrained. The cosine of two of
    the vectors that come out is

        (1 - s) cos(e_1, e_2) + s mean_a cos(p_a1, p_a2),

    so everything that ranks, joins or verifies embeddings works on them as on any others. The
    values to choose from are those that occur in the data; the image's own value is never read,
    and sentences are read off the image as it is, not off its mirror image.

    Args:
        embedder: The model.
        manifest: The images, which differ in each attribute.
        embeddings: Their embeddings, row for row.
        sentences: Share and sentences; without sentences images count alone.
        batch_size: Images per forward pass.
        progress: Where to report.

    Raises:
        ConfigError: A sentence lacks its attribute, holds `{context}`, or is too long.
        DataError: Two values read alike, or a further field of a sentence is not in the data.
        WeightsError: The weights came without word embeddings.
        UnreadableImage: An image cannot be decoded.
    """
    if not sentences.templates:
        return embeddings
    backbone = embedder.model.backbone
    texts = [
        encode_values(backbone, manifest, name, tuple(templates)).cpu()
        for name, templates in sentences.templates.items()
    ]
    projected = project_images(embedder, manifest, batch_size=batch_size, progress=progress)
    scale = float(backbone.logit_scale.detach().exp())
    readings = [torch.softmax(scale * projected @ text.T, dim=1) for text in texts]
    return replace(embeddings, vectors=join_readings(embeddings.vectors, readings, sentences.share))


def join_readings(vectors: Tensor, readings: Sequence[Tensor], share: float) -> Tensor:
    """Put probabilities beside embeddings so that cosines are weighted means of both cosines.

    Args:
        vectors: (N, D) rows of length 1.
        readings: (N, V) for each of A attributes, not all zero in a row.
        share: s, what the attributes have together.

    Returns:
        (N, D + V_1 + ... + V_A) rows of length 1, float32.
    """
    one = (share / len(readings)) ** 0.5
    parts = [(1 - share) ** 0.5 * vectors.float()]
    parts += [one * F.normalize(reading.float(), dim=1) for reading in readings]
    # Roots and norms are rounded, so the whole is not of length 1 to the last bit.
    return F.normalize(torch.cat(parts, dim=1), dim=1)
