"""Runs on the test images of a data set: embeddings, and what the recipe does with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from promptreid.config.scoring import EvaluationConfig
from promptreid.data.dataset import DataSet
from promptreid.data.load_data import load_data
from promptreid.data.manifest.manifest import Manifest
from promptreid.data.protocol import Protocol
from promptreid.errors import EvaluationError
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.embeddings.sentence_share import SentenceShare
from promptreid.evaluation.ranking.scores import Scores
from promptreid.evaluation.ranking.scoring import evaluate_protocol
from promptreid.evaluation.retrieval_settings import RetrievalSettings
from promptreid.inference.embed import Counter
from promptreid.inference.embedder import Embedder
from promptreid.inference.embedding_cache import cached_embeddings


@dataclass(frozen=True)
class Trial:
    """The images that a data set is tested on.

    Attributes:
        spec: Name of the data set.
        manifest: The rows that any repeat uses.
        protocol: Numbers those rows.
    """

    spec: str
    manifest: Manifest
    protocol: Protocol

    @classmethod
    def of(cls, dataset: DataSet | str) -> Trial:
        """Take them from a data set, or from its spec.

        Raises:
            EvaluationError: It has no queries or no gallery.
            DataError: It cannot be read.
        """
        dataset = load_data(dataset) if isinstance(dataset, str) else dataset
        if dataset.protocol is None:
            raise EvaluationError(
                f"{dataset.spec} has no query and gallery images, so nothing can be ranked. Give a "
                "data set with test images."
            )
        rows, protocol = dataset.protocol.compact()
        return cls(dataset.spec, dataset.manifest.select(rows), protocol)

    def identity_names(self) -> tuple[str, ...]:
        """Name the identity of each row for people; with its domain where there are several."""
        keys = self.manifest.identity_keys()
        several = len({domain for domain, _ in keys}) > 1
        return tuple(f"{domain}/{name}" if several else name for domain, name in keys)

    def camera_names(self) -> tuple[str, ...]:
        """Name the camera of each row, empty where it is unknown."""
        return tuple("" if name is None else str(name) for name in self.manifest.cameras)


@dataclass(frozen=True, eq=False)
class TrialRun:
    """One run on those images.

    Attributes:
        name: Of the run.
        embeddings: Row for row those of the manifest.
        settings: What the run's recipe does to embeddings before they are ranked.
        sentences: What sentences have to say in the embeddings' similarity; None for images alone.
    """

    name: str
    embeddings: Embeddings
    settings: RetrievalSettings
    sentences: SentenceShare | None = None

    def scores(self, protocol: Protocol) -> Scores:
        """Rank and score, as `promptreid evaluate` does by default.

        Raises:
            EvaluationError: As `evaluate_protocol`.
        """
        scores = evaluate_protocol(
            self.embeddings,
            protocol,
            expansion=self.settings.expansion,
            rerank=self.settings.rerank,
        )
        return replace(scores, flip=self.settings.flip, sentences=self.sentences)


def trial_runs(
    runs: Iterable[tuple[str, Embedder]],
    trial: Trial,
    *,
    cache: Path | None = None,
    batch_size: int = 64,
    progress: Counter | None = None,
) -> Iterator[TrialRun]:
    """Embed the test images with one run after the other.

    Args:
        runs: Names and models; they may be made one at a time, so that only one is in memory.
        trial: The test images.
        cache: Folder where embeddings are kept; None to keep none.
        batch_size: Images per forward pass.
        progress: Where to report.

    Raises:
        UnreadableImage: An image cannot be decoded.
    """
    for name, embedder in runs:
        recipe = embedder.metadata.get("recipe", {})  # published weights come without one
        config = EvaluationConfig.model_validate(recipe.get("evaluation", {}))
        settings = RetrievalSettings.of(config)
        share = SentenceShare.of(settings.sentences, embedder.metadata)
        used = None if share is None else share.usable(trial.manifest)
        embeddings = cached_embeddings(
            embedder,
            trial.manifest,
            folder=cache,
            flip=settings.flip,
            sentences=used,
            batch_size=batch_size,
            progress=progress,
        )
        yield TrialRun(name, embeddings, settings, used)
