"""Attributes that `promptreid evaluate` reads off images by sentences alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptreid.evaluation.test_set import TestSet
    from promptreid.inference.attributes import AttributeScores
    from promptreid.inference.embedder import Embedder
    from promptreid.progress import Lines

Templates = Mapping[str, tuple[str, ...]]


def recipe_templates(model: Path, metadata: Mapping[str, Any]) -> Templates:
    """Return the sentences that the recipe of a model reads attributes by."""
    from promptreid.config.scoring import ZeroShotConfig
    from promptreid.errors import ConfigError

    recipe = metadata.get("recipe", {})
    templates = ZeroShotConfig.model_validate(recipe.get("zero_shot", {})).attributes
    if not templates:
        raise ConfigError(
            f"--attributes reads the sentences of zero_shot.attributes, but the recipe of {model} "
            "has none. Make a run with some, such as: promptreid train zero-shot --data SPEC "
            "'zero_shot.attributes={aspect: \"a photo of a {aspect} hand\"}'"
        )
    return templates


def read_attributes(
    embedder: Embedder,
    test_set: TestSet,
    templates: Templates,
    batch_size: int,
    progress: Lines,
) -> dict[str, AttributeScores]:
    """Classify the images of a test set by each attribute."""
    from promptreid.inference.attributes import classify_attributes

    return classify_attributes(
        embedder.model,
        test_set.manifest,
        embedder.preprocess,
        templates,
        metadata=embedder.metadata,
        device=embedder.device,
        batch_size=batch_size,
        progress=progress,
    )


def attribute_text(scores_by_attribute: Mapping[str, AttributeScores]) -> str:
    """Lay out attribute scores in percent, the recall of each value below."""
    from promptreid.text.tables import plain_table

    rows = [["attribute", "images", "accuracy", "balanced", "chance", "recall of each value"]]
    for name, scores in scores_by_attribute.items():
        numbers = (scores.accuracy, scores.balanced_accuracy, scores.chance)
        recalls = zip(scores.values, scores.recalls, strict=True)
        recall_text = ", ".join(f"{value} {100 * recall:.1f}" for value, recall in recalls)
        rows.append(
            [name, str(sum(scores.counts)), *(f"{100 * n:.2f}" for n in numbers), recall_text]
        )
    lines = ["Attributes read by sentences alone, percent of the test images that have one:"]
    lines += plain_table(rows, right=[False, True, True, True, True, False])
    lines += [
        f"{name}: {scores.missing} images without a value are left out."
        for name, scores in scores_by_attribute.items()
        if scores.missing
    ]
    return "\n".join(lines)
