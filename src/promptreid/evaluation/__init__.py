"""Evaluation: embeddings in, scores out; knows no model.

What `promptreid.evaluation.public` lists can be imported from here. That loads torch, so it waits
until it is asked for: commands that only read scores import `promptreid.evaluation.metrics` alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptreid.evaluation.public import *  # noqa: F403


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for."""
    public = importlib.import_module("promptreid.evaluation.public")
    if name not in public.__all__:
        raise AttributeError(f"promptreid.evaluation has no {name!r}.")
    return getattr(public, name)
