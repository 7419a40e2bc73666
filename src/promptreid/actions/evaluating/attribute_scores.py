"""Attributes that are read off images by sentences alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from promptreid.errors import ConfigError
from promptreid.inference.attributes import AttributeScores
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.text.tables import plain_table


def recipe_templates(model: Path, info: CheckpointInfo) -> Mapping[str, Sequence[str]]:
    """Return the sentences that the recipe of a model reads attributes by."""
    if not info.templates:
        raise ConfigError(
            f"--attributes reads the sentences of zero_shot.attributes, but the recipe of {model} "
            "has none. Make a run with some, such as: promptreid train zero-shot --data SPEC "
            "'zero_shot.attributes={aspect: \"a photo of a {aspect} hand\"}'"
        )
    return info.templates


def attribute_text(scores_by_attribute: Mapping[str, AttributeScores]) -> str:
    """Lay out attribute scores in percent, the recall of each value below."""
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
