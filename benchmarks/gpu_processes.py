"""Does a process that shares batches out with itself over NCCL train as one that does not?"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Generator, Iterator, Mapping
from typing import Any
from unittest import mock

from benchmarks.gpu_parity import compare_trainings, train_watched
from benchmarks.gpu_rows import NO_CUDA, Run, matrix_products
from benchmarks.small_recipes import two_domains
from promptreid.processes.process_group import joined_processes

RECIPES = ("clip-reid", "prompt-sg")


def train_in_group(run: Run) -> Iterator[Mapping[str, Any]]:
    """Train with and without a group of one process, whose gathers and sums go through the card.

    Several cards would send the same to each other. Without a card the group is one of gloo.
    """
    data = two_domains(run.folder / "group")
    way = "NCCL" if run.on_card else "gloo"
    for name in RECIPES:
        row = {"recipe": name, "processes": 1, "exchanged by": way}
        if run.is_over:
            yield {**row, "state": "left out: no time"}
            continue
        folder = run.folder / f"{name}-group"
        with matrix_products("fp32"):
            alone = train_watched(name, data, run.device, folder / "alone")
            with _launched_alone(run.device.index or 0), joined_processes(run.device.type) as one:
                grouped = train_watched(name, data, run.device, folder / "grouped", processes=one)
        found = compare_trainings(alone, grouped)
        good = "done" if run.on_card else f"{NO_CUDA}: over {way}"
        yield {**row, **found, "state": good if found["state"] == "done" else found["state"]}


@contextlib.contextmanager
def _launched_alone(card: int) -> Generator[None]:
    """Tell this process what torchrun tells the only process that it starts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    launch = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": str(card)}
    launch |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with mock.patch.dict(os.environ, launch):
        yield
