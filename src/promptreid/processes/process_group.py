"""The processes that work on one run, as torchrun starts them."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from promptreid.errors import ConfigError
from promptreid.processes.launch import attempt, is_launched, local_rank
from promptreid.processes.lost_process import Member, name_lost

SILENCE = timedelta(minutes=30)
"""A process that neither answers nor ends is waited for so long."""


@dataclass(frozen=True)
class Processes:
    """The processes that work on one run in step; every one computes what all of them need.

    Attributes:
        rank: Number of this process, from 0; the first one writes files and speaks.
        count: Number of processes.
        members: Where each process runs; empty where there is but one and no group.
        host: Group for values on the CPU, which does not wait for a card; None without a group.
        store: What all read and write without a group's exchange; None where it is not known.
    """

    rank: int = 0
    count: int = 1
    members: tuple[Member, ...] = ()
    host: Any = None
    store: dist.Store | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Processes:
        """Serve the copy of a model, too: a group is one."""
        return self

    @property
    def grouped(self) -> bool:
        """Whether there is a group, be it of one process."""
        return self.host is not None

    @property
    def is_first(self) -> bool:
        """Whether this process writes files, logs and trackers."""
        return self.rank == 0

    def share(self, rows: int) -> slice:
        """Return which of some rows this process computes; all where they are too few to share."""
        if rows < self.count:
            return slice(0, rows)
        return self.shares(rows)[self.rank]

    def shares(self, rows: int) -> list[slice]:
        """Cut rows into one piece a process, of sizes that differ by one at most."""
        ends = [rows * number // self.count for number in range(self.count + 1)]
        return [slice(start, end) for start, end in itertools.pairwise(ends)]

    def any(self, flag: bool) -> bool:
        """Tell whether a flag is set in any process; each has to ask."""
        if not self.grouped:
            return flag
        value = torch.tensor([int(flag)])
        with self.named_losses():
            dist.all_reduce(value, dist.ReduceOp.MAX, group=self.host)
        return bool(value.item())

    def wait(self) -> None:
        """Wait until every process is here."""
        self.any(False)

    def of_first(self, value: Any) -> Any:
        """Return what the first process gives, a plain value or a tensor on the CPU."""
        if not self.grouped:
            return value
        box = [value]
        with self.named_losses():
            dist.broadcast_object_list(box, src=0, group=self.host)
        return box[0]

    def sum_in_place(self, values: Tensor) -> None:
        """Replace values by their sum over all processes, the same bits in each."""
        with self.named_losses():
            dist.all_reduce(values)

    def gather(self, rows: Tensor, sizes: Sequence[int]) -> Tensor:
        """Put the rows of all processes one below the other.

        Args:
            rows: (B, K) those of this process, of any number type.
            sizes: B of each process.

        Returns:
            (sum of B, K), the same in each process.
        """
        most = max(sizes)
        padded = rows.new_zeros(most, *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in sizes]
        with self.named_losses():
            dist.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    def pick_device(self, name: str | None) -> str | None:
        """Return the device of this process: a card of its own where cards are used.

        Raises:
            ConfigError: One card is named for several processes of a machine.
        """
        if not self.grouped or not torch.cuda.is_available() or name == "cpu":
            return name
        neighbours = sum(one.host == self.members[self.rank].host for one in self.members)
        if name not in (None, "cuda"):
            if neighbours > 1:
                raise ConfigError(
                    f"--device {name} is one card, and {neighbours} processes run on this machine. "
                    "Give --device cuda, and each takes its own, or --device cpu."
                )
            return name
        return f"cuda:{local_rank()}"

    @contextlib.contextmanager
    def named_losses(self) -> Generator[None]:
        """Turn a failed exchange into a sentence that names the process which is gone.

        Raises:
            RunError: A process has ended or does not answer.
        """
        try:
            yield
        except RuntimeError as error:
            raise name_lost(self.members, self.rank, error) from error


ALONE = Processes()
"""One process without a group, which is how everything runs without torchrun."""


@contextlib.contextmanager
def joined_processes(device: str | None) -> Generator[Processes]:
    """Join the processes that torchrun started; a process that it did not start stays alone.

    Values on cards are exchanged by NCCL, others by gloo. A group that exists is used and left.

    Args:
        device: Where to compute, as it was asked for.
    """
    if not (is_launched() or dist.is_initialized()):
        yield ALONE
        return
    begun, store = not dist.is_initialized(), None
    if begun:
        cards = torch.cuda.is_available() and device != "cpu"
        if cards:
            torch.cuda.set_device(local_rank())
        backend = "cpu:gloo,cuda:nccl" if cards else "gloo"
        store, rank, count = next(iter(dist.rendezvous("env://", timeout=SILENCE)))
        # torchrun serves all its attempts by one store, which still holds where the dead listened.
        store = dist.PrefixStore(f"attempt-{attempt()}", store)
        dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=SILENCE)
    try:
        host = dist.new_group(backend="gloo", timeout=SILENCE)
        assert host is not None
        assert not isinstance(host, int)  # a number stands for a group that this process is not in
        members: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(members, Member.here(), group=host)
        yield Processes(dist.get_rank(), len(members), tuple(members), host, store)
    finally:
        if begun:
            with contextlib.suppress(RuntimeError):  # a process that is gone says no goodbye
                dist.destroy_process_group()
