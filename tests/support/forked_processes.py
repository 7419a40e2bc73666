"""Processes that torchrun could have started, as copies of one that has imported the library.

Importing takes longer than all they do in a test, and is done once for all tests.
"""

from __future__ import annotations

import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
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
        self._importer = start_importer()
        task = {"count": count, "folder": self._folder.name, "command": list(command)}
        place = {"cwd": str(Path.cwd()), "environment": os.environ | _one_thread()}
        print(json.dumps(task | place), file=self._importer.stdin, flush=True)
        self.pids: list[int] = self._wait_for("pids", timeout=300)

    def are_running(self) -> bool:
        """Tell whether one of them runs still."""
        return not (Path(self._folder.name) / "codes").exists()

    def wait(self, timeout: float = 300) -> list[Ended]:
        """Wait until all have ended; return how, by rank."""
        codes = self._wait_for("codes", timeout=timeout)
        folder = Path(self._folder.name)
        ended = [
            Ended(code, (folder / f"{rank}.out").read_text(), (folder / f"{rank}.err").read_text())
            for rank, code in enumerate(codes)
        ]
        self._folder.cleanup()
        return ended

    def _wait_for(self, name: str, *, timeout: float) -> list[int]:
        file, end = Path(self._folder.name) / name, time.monotonic() + timeout
        while not file.exists():
            assert self._importer.poll() is None, "what forks has ended"
            assert time.monotonic() < end, f"no {name} after {timeout:g} seconds"
            time.sleep(0.01)
        return json.loads(file.read_text())


def run_processes(command: Sequence[str], count: int) -> list[Ended]:
    """Start processes and wait until all have ended."""
    return ForkedProcesses(command, count).wait()


@cache
def start_importer() -> subprocess.Popen[str]:
    """Start the process whose copies run commands; it ends when there is nobody to give it any."""
    return subprocess.Popen(
        [sys.executable, __file__], env=os.environ | _one_thread(), stdin=subprocess.PIPE, text=True
    )


def _one_thread() -> dict[str, str]:
    return {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def fork_for_tasks() -> None:
    """Be the process that has imported the library, and fork one for each task that is read."""
    import promptreid.actions.train_recipe  # noqa: F401 - what takes long

    for line in sys.stdin:
        if os.fork() == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            task = json.loads(line)
            os.chdir(task["cwd"])
            os.environ.clear()
            os.environ |= task["environment"]
            fork_all(task["count"], Path(task["folder"]), task["command"])
            return


def fork_all(count: int, folder: Path, command: Sequence[str]) -> None:
    """Be the process whose copies run a command: torchrun, but for what it does beside."""
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
    tell(folder / "pids", list(ranks))
    codes = {}
    while len(codes) < count:  # at once, so that nobody who looks finds what is left of the dead
        pid, status = os.wait()
        codes[ranks[pid]] = os.waitstatus_to_exitcode(status)
    tell(folder / "codes", [codes[rank] for rank in range(count)])


def tell(file: Path, numbers: list[int]) -> None:
    """Write numbers so that who finds the file finds all of them."""
    file.with_suffix(".tmp").write_text(json.dumps(numbers))
    file.with_suffix(".tmp").replace(file)


def run(command: Sequence[str]) -> None:
    """Run a command as Python would."""
    if command[0] == "-m":
        sys.argv = list(command[1:])
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(command)
        runpy.run_path(command[0], run_name="__main__")


if __name__ == "__main__":
    fork_for_tasks()
