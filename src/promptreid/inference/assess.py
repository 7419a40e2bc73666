"""From a model and a test set to an assessment: embed the images, and take along what is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from promptreid.data.images.image_store import ImageStore
from promptreid.evaluation.assessment import Assessment
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.embeddings.sentence_share import SentenceShare
from promptreid.evaluation.retrieval_settings import RetrievalSettings
from promptreid.evaluation.test_set import TestSet
from promptreid.evaluation.uncertainty.resampling import BOOTSTRAP, Bootstrap
from promptreid.inference.embedder import Embedder
from promptreid.inference.embedding_cache import cached_embeddings
from promptreid.inference.side_note import note_unknown_sides
from promptreid.progress import Progress, Silent


def assess(
    embedder: Embedder,
    test_set: TestSet,
    settings: RetrievalSettings | None = None,
    *,
    bootstrap: Bootstrap = BOOTSTRAP,
    cache: Path | None = None,
    store: ImageStore | None = None,
    batch_size: int = 64,
    progress: Progress | None = None,
) -> Assessment:
    """Embed the images of a test set once; whatever is asked of the assessment rests on that.

    Args:
        embedder: The model.
        test_set: The images and the protocol.
        settings: How images are embedded and ranked; None for what the model's recipe asks for.
        bootstrap: How intervals are made.
        cache: Folder where embeddings are kept; None to keep none.
        store: What `open_images` gave for the images, to embed them more than once; None to read
            them from the disk.
        batch_size: Images per forward pass.
        progress: Where to report; None for silence.

    Raises:
        ConfigError: A kind of sentence is asked for that the model does not have.
        EvaluationError: Sentences are to have a share, and the model's recipe has none.
        UnreadableImage: An image cannot be decoded.
    """
    if settings is None:
        settings = RetrievalSettings.of(embedder.info.evaluation)
    embeddings = cached_embeddings(
        embedder,
        test_set.manifest,
        folder=cache,
        flip=settings.flip,
        prompt=settings.prompt,
        sentences=_usable_sentences(embedder, test_set, settings),
        store=store,
        batch_size=batch_size,
        progress=progress,
    )
    return assess_embeddings(
        embedder, test_set, embeddings, settings, bootstrap=bootstrap, progress=progress
    )


def assess_embeddings(
    embedder: Embedder,
    test_set: TestSet,
    embeddings: Embeddings,
    settings: RetrievalSettings,
    *,
    bootstrap: Bootstrap = BOOTSTRAP,
    progress: Progress | None = None,
) -> Assessment:
    """Put embeddings by a model, one row for each image, together with what it says of itself.

    The arguments are those of `assess`.

    Raises:
        EvaluationError: Sentences have a share, and the model's recipe has none.
    """
    if settings.prompt == embedder.model.sentences.retrieval:
        settings = replace(settings, prompt=None)
    return Assessment(
        test_set,
        embeddings,
        settings,
        sentences=_usable_sentences(embedder, test_set, settings),
        threshold=embedder.threshold,
        note=note_unknown_sides(embedder, test_set.manifest),
        bootstrap=bootstrap,
        progress=Silent() if progress is None else progress,
    )


def _usable_sentences(
    embedder: Embedder, test_set: TestSet, settings: RetrievalSettings
) -> SentenceShare | None:
    share = SentenceShare.of(settings.sentences, embedder.info.templates)
    return None if share is None else share.usable(test_set.manifest)
