"""Errors a user can mend.

Each message is a sentence or two: what went wrong, what was got, what is allowed, what to do.
The command line prints it and exits with 2; any other exception is a failure of ours (exit 1).
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable

from promptreid.text.lists import shorten_list
from promptreid.text.short import shortened
from promptreid.text.suggest import closest, did_you_mean

_LONGEST = 80
_MOST_NAMES = 200  # of what is known; files may be thousands


class PromptReIDError(Exception):
    """Base of every error that the user can mend."""


class ConfigError(PromptReIDError):
    """A recipe, an override or an option is wrong."""


class DataError(PromptReIDError):
    """A data set, a manifest or an image is wrong or missing."""


class OneIdentityError(DataError):
    """All images show one identity, so there is nothing to tell apart."""


class ModelError(PromptReIDError):
    """A backbone is unknown or its options do not fit together."""


class WeightsError(PromptReIDError):
    """A weights file is unreadable or does not fit the model."""


class RunError(PromptReIDError):
    """A run folder cannot be used as asked."""


class EvaluationError(PromptReIDError):
    """Embeddings or a protocol cannot be scored."""


class GalleryError(PromptReIDError):
    """A gallery cannot be used as asked."""


class ToldElsewhereError(PromptReIDError):
    """Another of the processes that work together tells the same, so this one need not."""


def unknown_name(kind: str, got: str, allowed: Iterable[str], *, see: str = "") -> str:
    """Say that a name is not known, with the closest names first.

    Args:
        kind: What is named, in words ("data set", "recipe").
        got: The name as given.
        allowed: All names that exist.
        see: What lists them, such as "`promptreid recipes`"; without it all are named.

    Returns:
        A sentence or three, ready for a `PromptReIDError`; of very many names the first ones.
    """
    names = sorted(allowed)
    start = f"There is no {kind} named {shortened(repr(got), _LONGEST)}."
    start += did_you_mean(closest(got, names))
    if see:
        return f"{start} {see} lists all."
    return f"{start} Known: {shorten_list(names, limit=_MOST_NAMES) or 'none'}."


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its kind where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


_NO_MEMORY = ("out of memory", "not enough memory", "DefaultCPUAllocator", "ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether memory ran out, of the machine or of a graphics card."""
    if isinstance(error, MemoryError):
        return True
    # torch has had its own class for it in several places, and raises plain errors on processors.
    return isinstance(error, RuntimeError) and (
        any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__)
        or any(words in str(error) for words in _NO_MEMORY)
    )


@contextlib.contextmanager
def parsing(kind: type[PromptReIDError], problem: str) -> Generator[None]:
    """Turn whatever a parser of a foreign or damaged file raises into one sentence.

    A parser that meets bytes it was not made for may raise anything: an index error inside a
    pickle, a failed assertion, an allocation of what a damaged header asks for. None of that is a
    failure of ours, and no list of such errors is complete.

    Args:
        kind: Error to raise.
        problem: What is wrong, as a sentence begins: "x.pth is not a readable weights file".

    Raises:
        PromptReIDError: Of the given kind; errors that are already sentences pass as they are.
    """
    try:
        yield
    except PromptReIDError:
        raise
    except OSError as error:
        raise kind(f"{problem}: {error.strerror or first_line(error)}.") from error
    except Exception as error:
        raise kind(f"{problem}: {first_line(error)}.") from error
