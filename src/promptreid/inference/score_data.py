"""Score a model on a data set by the data set's own protocol."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch

from promptreid.data.dataset import DataSet
from promptreid.data.images.image_store import ImageStore
from promptreid.data.images.preprocess import Preprocess
from promptreid.data.manifest.manifest import Manifest
from promptreid.data.protocol import Protocol
from promptreid.errors import EvaluationError
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.embeddings.sentence_share import SentenceShare
from promptreid.evaluation.ranking.scores import Scores
from promptreid.evaluation.ranking.scoring import evaluate_protocol
from promptreid.evaluation.reranking.expansion import Expansion
from promptreid.evaluation.reranking.rerank import Rerank
from promptreid.inference.embed import Counter
from promptreid.inference.sentence_embed import embed_with_sentences
from promptreid.inference.side_note import side_note
from promptreid.models.reid import ReIDModel


def score_data(
    model: ReIDModel,
    dataset: DataSet,
    preprocess: Preprocess,
    *,
    metadata: Mapping[str, Any],
    device: torch.device,
    same_camera: str | None = None,
    flip: bool = False,
    expansion: Expansion | None = None,
    rerank: Rerank | None = None,
    multi_query: str | None = None,
    prompt: str | None = None,
    sentences: float = 0.0,
    store: ImageStore | None = None,
    batch_size: int = 64,
    progress: Counter | None = None,
) -> tuple[Scores, Embeddings]:
    """Embed the test rows of a data set once and score every repeat of its protocol.

    Args:
        model: Any model; it is put in eval mode.
        dataset: Must have something to test on.
        preprocess: That of the weights.
        metadata: Of the weights.
        device: Where the model is.
        same_camera: "exclude", "keep" or "auto" in place of the protocol's rule; None for its own.
        flip: Average each embedding with that of the mirrored image.
        expansion: Query expansion, if wanted.
        rerank: k-reciprocal re-ranking, if wanted; after the expansion.
        multi_query: Join queries of one "identity", or of one "identity_camera", into one.
        prompt: Kind of sentence of an image prompt, "composed" or "simplified"; None for the
            model's own choice, and for models without.
        sentences: Share of the sentences of the weights' recipe in the similarity of two images; 0
            for images alone.
        store: What `open_images` gave for the rows of `tested_rows`, to score them more than once;
            None to read them from the disk.
        batch_size: Images per forward pass.
        progress: Where to report.

    Returns:
        The scores, and the embeddings of the test rows in manifest order. The embeddings are those
        of `flip` and `sentences`, not yet expanded.

    Raises:
        EvaluationError: The data set has no query or no gallery images, or no query has a match.
        ConfigError: A kind of sentence is asked for that the model does not have.
    """
    manifest, compact = tested_protocol(dataset)
    share = SentenceShare.of(sentences, metadata)
    embeddings = embed_with_sentences(
        model,
        manifest,
        preprocess,
        metadata=metadata,
        device=device,
        sentences=share,
        batch_size=batch_size,
        flip=flip,
        prompt=prompt,
        store=store,
        progress=progress,
    )
    with ranking(dataset.manifest.name, rerank, progress):
        scores = evaluate_protocol(
            embeddings,
            compact,
            same_camera=same_camera,
            rerank=rerank,
            expansion=expansion,
            multi_query=multi_query,
        )
    used = None if share is None else share.usable(manifest)
    note = " ".join(filter(None, (scores.note, side_note(model, manifest, metadata))))
    return replace(scores, flip=flip, sentences=used, note=note), embeddings


def ranking(
    name: str, rerank: Rerank | None, progress: Counter | None
) -> AbstractContextManager[None]:
    """Say that images are ranked, while they are.

    Args:
        name: Of the data set.
        rerank: Whether they are re-ranked, which takes longer.
        progress: Where to report; None for silence.
    """
    if progress is None:
        return nullcontext()
    return progress.doing(f"{'re-ranking' if rerank is not None else 'ranking'} {name}")


def tested_rows(dataset: DataSet) -> Manifest:
    """Give the rows that any repeat of the protocol uses as query or gallery.

    Raises:
        EvaluationError: The data set has no query or no gallery images.
    """
    return tested_protocol(dataset)[0]


def tested_protocol(dataset: DataSet) -> tuple[Manifest, Protocol]:
    """Give the rows of `tested_rows`, and the protocol as it numbers them.

    Raises:
        EvaluationError: The data set has no query or no gallery images.
    """
    rows, compact = _protocol(dataset).compact()
    return dataset.manifest.select(rows), compact


def _protocol(dataset: DataSet) -> Protocol:
    if dataset.protocol is None:
        raise EvaluationError(
            f"{dataset.spec} has nothing to test on: no query and gallery images. It holds "
            f"{_splits(dataset)}. Give a data set with test images."
        )
    return dataset.protocol


def _splits(dataset: DataSet) -> str:
    counts: dict[str, int] = {}
    for split in dataset.manifest.splits:
        counts[split] = counts.get(split, 0) + 1
    return ", ".join(f"{count} {split} images" for split, count in counts.items()) or "no images"
