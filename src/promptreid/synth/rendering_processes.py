"""Rendering in several processes, which end with the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from promptreid.errors import RunError

Job = TypeVar("Job")
Rendered = TypeVar("Rendered")


def render_each(
    work: Callable[[Job], Rendered], jobs: Sequence[Job], *, workers: int, at_a_time: int = 1
) -> Generator[Rendered]:
    """Do all jobs, here or in other processes, and yield what they give, in their order.

    A caller that may stop before the last one closes the iterator (`contextlib.closing`): it then
    waits for the jobs that have begun, so that nothing is written any more.

    Args:
        work: A function of a module, since other processes import it.
        jobs: What it is called with.
        workers: How many processes work; with 1 it is this one.
        at_a_time: How many jobs a process is given together.

    Raises:
        RunError: One of the processes died.
    """
    if workers == 1:
        yield from map(work, jobs)
        return
    # Fresh processes: a fork would copy the locks of threads that torch may have started.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        min(workers, len(jobs)), mp_context=context, initializer=_end_with_parent
    )
    try:
        with pool:
            yield from pool.map(work, jobs, chunksize=at_a_time)
    except BrokenProcessPool as error:
        raise RunError(
            "A rendering process died: memory ran out, or the calling script starts work at import "
            '(put it under `if __name__ == "__main__":`). Or use workers=1.'
        ) from error


def _end_with_parent() -> None:
    """Leave stops to the parent, and end when it does: a killed one tells its workers nothing."""
    for name in ("SIGINT", "SIGHUP"):  # which a terminal sends to all of its processes
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
