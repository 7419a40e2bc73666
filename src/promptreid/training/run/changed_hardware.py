"""What a resumed run may compute otherwise than before: settings that decide memory and speed."""

from __future__ import annotations

from collections.abc import Sequence

from promptreid.config.schema import Recipe

CHANGEABLE = ("compile", "checkpointing", "accumulate", "auto_batch")
"""Settings of `hardware` that leave what is learned as it is, but for rounding."""


def with_changed_hardware(recipe: Recipe, asked: Recipe, overrides: Sequence[str]) -> Recipe:
    """Give a run's recipe the settings of `CHANGEABLE` that a resumed run is asked for by name.

    So a run that memory did not suffice for goes on from its last checkpoint, in parts.

    Args:
        recipe: The recipe of the run.
        asked: The recipe that the run is resumed with.
        overrides: Those of the request; a setting that none of them names stays.
    """
    named = {text.partition("=")[0] for text in overrides}
    changed = {
        key: getattr(asked.hardware, key) for key in CHANGEABLE if f"hardware.{key}" in named
    }
    return recipe.model_copy(update={"hardware": recipe.hardware.model_copy(update=changed)})
