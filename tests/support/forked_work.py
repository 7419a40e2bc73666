"""A process that has imported everything, and forks one that works, is killed, or meets faults.

Run as a program it reads a task a line, and answers with a report a line.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gallery_worker import list_changes, work
from lost_writes import Disk
from moved_gallery import MOVES, move
from soak_work import read, write
from system_calls import CHANGING, Call, TracedProcess, let_parent_trace

from promptreid.data.images import decode
from promptreid.gallery.gallery import Gallery

IMPORTED = decode
"""What enrolling imports when it is needed: PyTorch, which would take each process seconds."""

LONGEST = 0.15
"""Seconds after the first change within which a process is killed by the clock."""


@dataclass(frozen=True)
class Task:
    """Work that is to be done and hindered.

    Attributes:
        folder: The gallery.
        log: Where the work says what was acknowledged.
        kind: Kind of the changes; or "soak write" and "soak read"; or one of `MOVES`.
        seed: Seed of the changes, and of the time at which it is killed.
        changes: Number of changes; 0 for no end.
        end: "clock" for a kill after some time, "call" for one before a call that changes files,
            "power" for one of these after which the disk has lost what was not synchronised, "none"
            for no kill.
        call: Number of the call that it is killed before, or that the fault begins with.
        fault: "full", "error", "error once", "short", "limit", or empty.
        seconds: How long soaking goes on.
        synchronous: Whether commits are synchronised, as they are everywhere but in one test.
    """

    folder: str
    log: str
    kind: str
    seed: int
    changes: int = 0
    end: str = "none"
    call: int = 0
    fault: str = ""
    seconds: float = 0
    synchronous: bool = True

    @property
    def is_traced(self) -> bool:
        """Whether calls of the process are watched."""
        return self.end in ("call", "power") or self.fault not in ("", "limit")


@dataclass(frozen=True)
class Report:
    """How work ended.

    Attributes:
        alive: Whether the process was there just before it was killed.
        signal: Number of the signal that ended it; None where it ended by itself.
        calls: Calls that change files, until then.
        last: The call that it was about to make.
        hindered: Calls that met a fault.
    """

    alive: bool
    signal: int | None
    calls: int = 0
    last: str = ""
    hindered: int = 0


class Nursery:
    """The other side of the process that forks."""

    def __init__(self) -> None:
        """Start it; it imports once what every process needs."""
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment | {"OMP_NUM_THREADS": "1"},
        )

    def run(self, task: Task) -> Report:
        """Do a task."""
        return self.run_together([task])[0]

    def run_together(self, tasks: Sequence[Task]) -> list[Report]:
        """Do tasks at the same time."""
        lines = json.dumps([asdict(task) for task in tasks])
        print(lines, file=self._process.stdin, flush=True)
        return [Report(**report) for report in json.loads(self._process.stdout.readline())]

    def close(self) -> None:
        """End it; it has nothing to put away."""
        self._process.kill()
        self._process.communicate()


def do_tasks(tasks: Sequence[Task]) -> list[Report]:
    """Fork a process for each task, hinder each, and report."""
    pids = [_fork(task) for task in tasks]
    return [_hinder_process(pid, task) for pid, task in zip(pids, tasks, strict=True)]


def _fork(task: Task) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        _work(task)
    finally:
        os._exit(0)


def _work(task: Task) -> None:
    folder, log = Path(task.folder), Path(task.log)
    if task.kind in MOVES:
        return move(folder, log, task.kind, let_parent_trace)
    if task.kind == "soak write":
        return write(folder, log, task.seed, task.seconds)
    if task.kind == "soak read":
        return read(folder, log, task.seed, task.seconds)
    changes = list_changes(task.kind, task.seed)
    if task.changes:
        changes = itertools.islice(changes, task.changes)
    if task.fault == "limit":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (task.call, task.call))

    def get_ready(gallery: Gallery) -> None:
        if not task.synchronous:
            gallery.records.execute("PRAGMA synchronous = OFF")
        if task.is_traced:
            let_parent_trace()

    return work(folder, log, changes, get_ready)


def _hinder_process(pid: int, task: Task) -> Report:
    if task.is_traced:
        return _trace(pid, task)
    if task.end == "clock":
        log = Path(task.log)
        while not (log.exists() and log.stat().st_size) and _is_running(pid):
            time.sleep(0.001)
        time.sleep(random.Random(task.seed).uniform(0, LONGEST))
        alive = _is_running(pid)
        os.kill(pid, signal.SIGKILL)
        return _report(os.waitpid(pid, 0)[1], alive=alive)
    return _report(os.waitpid(pid, 0)[1], alive=False)


def _trace(pid: int, task: Task) -> Report:
    process = TracedProcess(pid, Path(task.folder))
    disk = Disk(Path(task.folder))
    calls = hindered = 0
    while (call := process.run_to_call()) is not None:
        calls += call.name in CHANGING
        if task.end in ("call", "power") and calls > task.call:
            alive = process.is_stopped
            process.kill()
            if task.end == "power":
                disk.lose_power(task.seed)
            return _report(
                process.status, alive=alive, calls=calls, last=f"{call.name} {call.file}"
            )
        if task.fault and calls > task.call and _hinder(process, call, task.fault, hindered):
            hindered += 1
        else:
            process.finish_call()
            disk.follow(call)
    return _report(process.status, alive=False, calls=calls, hindered=hindered)


def _hinder(process: TracedProcess, call: Call, fault: str, hindered: int) -> bool:
    """Let a call meet a fault; False where the fault is none for such a call."""
    writes = call.name in ("write", "pwrite64")
    if fault == "full" and writes:
        process.fail_call(errno.ENOSPC)
    elif fault == "short" and writes and call.size > 1 and hindered == 0:
        process.shorten_call(call.size // 2)
    elif fault == "error" or (fault == "error once" and hindered == 0):
        process.fail_call(errno.EIO)
    else:
        return False
    return True


def _is_running(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def _report(status: int, *, alive: bool, **more) -> Report:
    return Report(alive, os.WTERMSIG(status) if os.WIFSIGNALED(status) else None, **more)


if __name__ == "__main__":
    for line in sys.stdin:
        reports = do_tasks([Task(**task) for task in json.loads(line)])
        print(json.dumps([asdict(report) for report in reports]), flush=True)
