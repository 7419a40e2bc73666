"""Processes that torchrun could have started, as copies of one that has imported the library.

Importing takes longer than all they do in a test, and is done once for all of them.
"""

from __future__ import annotations

import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ended:
    """How a process has ended.

    Attributes:
        code: Its exit code, or less the number of the signal that killed it.
        said: What it wrote to standard output.
        errors: What it wrote to standard error.
    """

    code: int
    said: str
    errors: str


class ForkedProcesses:
    """Some processes, one thread each, that run the same command and know of each other.

    Attributes:
        pids: Their numbers, by rank.
    """

    def __init__(self, command: Sequence[str], count: int) -> None:
        """Start them.

        Args:
            command: What Python takes behind its name: a file, or `-m` and a module; arguments.
            count: Number of processes.
        """
        self._folder = tempfile.TemporaryDirectory()
        set_up = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._parent = subprocess.Popen(
            [sys.executable, __file__, str(count), self._folder.name, *command],
            env=os.environ | set_up,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._parent.stdout is not None
        self.pids: list[int] = json.loads(self._parent.stdout.readline())

    def are_running(self) -> bool:
        """Tell whether one of them runs still."""
        return self._parent.poll() is None

    def wait(self, timeout: float = 300) -> list[Ended]:
        """Wait until all have ended; return how, by rank."""
        codes = json.loads(self._parent.communicate(timeout=timeout)[0])
        folder = Path(self._folder.name)
        ended = [
            Ended(code, (folder / f"{rank}.out").read_text(), (folder / f"{rank}.err").read_text())
            for rank, code in enumerate(codes)
        ]
        self._folder.cleanup()
        return ended


def run_processes(command: Sequence[str], count: int) -> list[Ended]:
    """Start processes and wait until all have ended."""
    return ForkedProcesses(command, count).wait()


def fork_all(count: int, folder: Path, command: Sequence[str]) -> None:
    """Be the process whose copies run the command."""
    import promptreid.training.run.train  # noqa: F401 - what takes long

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count)}
    ranks: dict[int, int] = {}
    for rank in range(count):
        pid = os.fork()
        if pid == 0:
            os.environ |= shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            for stream, name in ((1, "out"), (2, "err")):
                os.dup2(os.open(folder / f"{rank}.{name}", os.O_WRONLY | os.O_CREAT), stream)
            run(command)
            return
        ranks[pid] = rank
    print(json.dumps(list(ranks)), flush=True)
    codes = {}
    while len(codes) < count:  # at once, so that nobody who looks finds what is left of the dead
        pid, status = os.wait()
        codes[ranks[pid]] = os.waitstatus_to_exitcode(status)
    print(json.dumps([codes[rank] for rank in range(count)]))


def run(command: Sequence[str]) -> None:
    """Run a command as Python would."""
    if command[0] == "-m":
        sys.argv = list(command[1:])
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(command)
        runpy.run_path(command[0], run_name="__main__")


if __name__ == "__main__":
    fork_all(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
