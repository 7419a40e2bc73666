"""How well a model in training ranks the validation images, which choose the best checkpoint."""

from __future__ import annotations

from collections.abc import Sequence

from promptreid.data.splits.validation import Validation
from promptreid.evaluation.metrics import validated_metrics
from promptreid.evaluation.ranking.scoring import evaluate_protocol
from promptreid.inference.embed import embed_manifest
from promptreid.inference.embedder import Embedder
from promptreid.progress import Progress


def validation_scores(
    embedder: Embedder, validations: Sequence[Validation], *, progress: Progress
) -> dict[str, float]:
    """Return the mean of each metric over the data sets that have validation images.

    Args:
        embedder: The model.
        validations: At least one.
        progress: Where to report.

    Raises:
        UnreadableImage: An image cannot be decoded.
    """
    rows = []
    for validation in validations:
        embeddings = embed_manifest(embedder, validation.manifest, progress=progress)
        with progress.doing("ranking validation images"):
            scores = evaluate_protocol(embeddings, validation.protocol)
        rows.append({metric.key: scores.values[metric.name] for metric in validated_metrics()})
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


def fewest_identities(validations: Sequence[Validation]) -> int:
    """Return on how many identities validation scores rest, the fewest of all data sets."""
    return min(
        len({validation.manifest.identity_keys()[row] for row in repeat.query})
        for validation in validations
        for repeat in validation.protocol.repeats
    )
