"""Errors a user can mend.

Each message is a sentence or two: what went wrong, what was got, what is allowed, what to do.
The command line prints it and exits with 2; any other exception is a failure of ours (exit 1).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PromptReIDError(Exception):
    """Base of every error that the user can mend."""


class ConfigError(PromptReIDError):
    """A recipe, an override or an option is wrong."""


class DataError(PromptReIDError):
    """A data set, a manifest or an image is wrong or missing."""


class ModelError(PromptReIDError):
    """A backbone is unknown or its options do not fit together."""


class WeightsError(PromptReIDError):
    """A weights file is unreadable or does not fit the model."""


class RunError(PromptReIDError):
    """A run folder cannot be used as asked."""


class EvaluationError(PromptReIDError):
    """Embeddings or a protocol cannot be scored."""


def unknown_name(kind: str, got: str, allowed: Iterable[str]) -> str:
    """Say that a name is not known, with the closest names first.

    Args:
        kind: What is named, in words ("data set", "recipe").
        got: The name as given.
        allowed: All names that exist.

    Returns:
        One sentence, ready for a `PromptReIDError`.
    """
    names = sorted(allowed)
    close = difflib.get_close_matches(got, names, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(repr(name) for name in close)}?" if close else ""
    return f"There is no {kind} named {got!r}.{hint} Known: {', '.join(names) or 'none'}."
