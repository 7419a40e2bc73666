"""Which of several processes has ended, in words."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from promptreid.errors import RunError, first_line
from promptreid.text.lists import listed


@dataclass(frozen=True)
class Member:
    """Where a process runs.

    Attributes:
        host: Name of the machine.
        process: Its number there.
    """

    host: str
    process: int

    @classmethod
    def here(cls) -> Member:
        """Describe this process."""
        return cls(socket.gethostname(), os.getpid())

    def has_ended(self) -> bool:
        """Tell whether it has ended, as far as this machine can know."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return True
        except OSError:  # somebody else's process
            return False
        return _is_zombie(self.process)


def _is_zombie(process: int) -> bool:
    """Tell whether a process has ended and nobody has asked how; only Linux says so."""
    try:
        content = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return content.rpartition(")")[2].split()[:1] == ["Z"]


def name_lost(members: Sequence[Member], rank: int, error: BaseException) -> RunError:
    """Say which process is gone, after an exchange with the others has failed.

    Args:
        members: Where each process runs, by rank.
        rank: That of this process.
        error: What the exchange raised.
    """
    ended = [number for number, member in enumerate(members) if member.has_ended()]
    if ended:
        named = [f"{n} (process {members[n].process} on {members[n].host})" for n in ended]
        what = f"Rank {listed(named)} of {len(members)} has ended"
    else:
        others = sorted({one.host for one in members} - {members[rank].host} if members else ())
        where = f" on {listed(others)}" if others else ""
        what = (
            f"Rank {rank} of {len(members)} gets no answer from another process{where} "
            f"({first_line(error)})"
        )
    return RunError(
        f"{what}, so the others stop. Everything up to the last checkpoint is saved: give the "
        "same command with --resume; torchrun --max-restarts does that by itself when the command "
        "has --resume."
    )
