"""The parts of a model that can learn on their own, and whose parameters are whose."""

from __future__ import annotations

from promptreid.models.tuning.tuning import addition_names, tuning_part


def part_names() -> tuple[str, ...]:
    """Return all parts of a model that can learn on their own."""
    rest = ("text", "logit_scale", "prompt", "interaction", "head", "sie")
    return ("image", *addition_names(), *rest)


def find_part(name: str) -> str:
    """Return the part that a parameter of a model belongs to, by its full name."""
    if name.startswith("backbone.image."):
        return tuning_part(name.removeprefix("backbone.image."))
    if name.startswith("backbone.text."):
        return "text"
    return "logit_scale" if name.startswith("backbone.logit_") else name.partition(".")[0]
