"""Which rows make a shard, and which shards a process computes: numbers alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from promptreid.errors import ConfigError
from promptreid.text.number_words import read_whole


@dataclass(frozen=True)
class ShardPlan:
    """A cut of N rows into ranges of so many rows each; the last one holds the rest.

    Attributes:
        rows: N, the number of rows.
        shard_rows: Rows of a shard.
    """

    rows: int
    shard_rows: int

    def __post_init__(self) -> None:
        if self.shard_rows < 1:
            raise ConfigError(f"A shard has {self.shard_rows} rows; it must have at least 1.")

    def __len__(self) -> int:
        """Return the number of shards."""
        return -(-self.rows // self.shard_rows)

    def shard_range(self, shard: int) -> range:
        """Return the rows of a shard, by its number."""
        if not 0 <= shard < len(self):
            raise IndexError(f"Shard {shard} of {len(self)}.")
        first = shard * self.shard_rows
        return range(first, min(first + self.shard_rows, self.rows))

    def name(self, shard: int) -> str:
        """Return the name of a shard's files, without ending: its first row and the one after."""
        rows = self.shard_range(shard)
        return f"rows-{rows.start:012d}-{rows.stop:012d}"


@dataclass(frozen=True)
class WorkShare:
    """The part of the shards that one of several processes computes: every n-th one.

    Attributes:
        index: Number of the process, from 0 on.
        count: Number of processes, n.
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 1 or not 0 <= self.index < self.count:
            raise ConfigError(
                f"{self.index}/{self.count} names no part of the work; parts of N are counted "
                "from 0/N to N-1/N, as in 0/4, 1/4, 2/4, 3/4."
            )

    def shards(self, plan: ShardPlan) -> range:
        """Return the numbers of the shards that the process computes."""
        return range(self.index, len(plan), self.count)

    @classmethod
    def parse(cls, text: str) -> WorkShare:
        """Read `i/n`.

        Raises:
            ConfigError: The text is no such part.
        """
        words = text.partition("/")
        index, count = read_whole(words[0].strip()), read_whole(words[2].strip())
        if index is None or count is None:
            raise ConfigError(
                f"{text!r} names no part of the work. Write i/n, the i-th of n parts counted from "
                '0, such as 0/8; in a Slurm array: --shard "$SLURM_ARRAY_TASK_ID/8".'
            )
        return cls(index, count)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> WorkShare:
        """Return the part that torchrun gave this process by RANK and WORLD_SIZE, else the whole.

        Raises:
            ConfigError: The two name no part.
        """
        rank, size = environment.get("RANK"), environment.get("WORLD_SIZE")
        return cls() if rank is None or size is None else cls.parse(f"{rank}/{size}")


def name_local_device(environment: Mapping[str, str] = os.environ) -> str | None:
    """Name the card of this process among those that torchrun started on the machine.

    Returns:
        Such as "cuda:1"; None outside torchrun, and where a machine has one process.
    """
    rank, size = environment.get("LOCAL_RANK"), environment.get("LOCAL_WORLD_SIZE")
    if rank is None or size in (None, "1"):
        return None
    return f"cuda:{rank}"
