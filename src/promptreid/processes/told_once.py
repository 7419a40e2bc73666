"""Let one of several processes that fail for the same reason say so."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from promptreid.errors import PromptReIDError, ToldElsewhereError
from promptreid.processes.process_group import Processes


@contextmanager
def errors_told_once(processes: Processes) -> Generator[None]:
    """Mark an error as told when another process has failed with the same sentence before.

    Args:
        processes: Those of whom several may fail.

    Raises:
        ToldElsewhereError: In place of an error that another process tells.
    """
    try:
        yield
    except PromptReIDError as error:
        if _is_told(str(error), processes):
            raise ToldElsewhereError(str(error)) from error
        raise


def _is_told(sentence: str, processes: Processes) -> bool:
    if processes.store is None:
        return False
    own = f"{processes.rank} {sentence}"
    try:
        first = processes.store.compare_set("failure", "", own).decode()
    except RuntimeError:  # who kept the store has ended, and perhaps without a word
        return False
    return first != own and first.partition(" ")[2] == sentence
