"""A process whose calls that write, read or synchronise files are watched, failed or cut short.

Linux on x86-64 lets a parent trace its child (`ptrace`), so that a full disk, an error of input or
output, a short write, and a kill before any single write need no library and no file system of
their own.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

CALLS = {
    1: "write",
    17: "pread64",
    18: "pwrite64",
    74: "fsync",
    75: "fdatasync",
    77: "ftruncate",
    82: "rename",
    87: "unlink",
}
"""Numbers of the calls that are watched, on x86-64."""

CHANGING = frozenset(CALLS.values()) - {"pread64"}
"""Those after which a disk holds something else, or holds it for sure."""

_TRACE_ME, _CONTINUE, _GET_REGISTERS, _SET_REGISTERS, _TO_NEXT_CALL = 0, 7, 12, 13, 24
_SET_OPTIONS, _OPTIONS = 0x4200, 0x1 | 0x100000  # tell calls from signals; die with the tracer
_AT_CALL = signal.SIGTRAP | 0x80


@functools.cache
def is_traceable() -> bool:
    """Whether this system lets a process trace its child, by the calls that are known here."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    pid = os.fork()
    if pid == 0:
        try:
            _ptrace(_TRACE_ME, 0)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


class _Registers(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_ulonglong)
        for name in (
            *("r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8"),
            *("rax", "rcx", "rdx", "rsi", "rdi", "orig_rax", "rip", "cs", "eflags", "rsp"),
            *("ss", "fs_base", "gs_base", "ds", "es", "fs", "gs"),
        )
    ]


@dataclass(frozen=True)
class Call:
    """A call that a process is about to make.

    Attributes:
        name: One of `CALLS`.
        file: Name of the file it is for.
        size: Bytes to be written or read, where it does that.
    """

    name: str
    file: str
    size: int


def let_parent_trace() -> None:
    """Wait, as the child, until the parent traces it."""
    _ptrace(_TRACE_ME, 0)
    os.kill(os.getpid(), signal.SIGSTOP)


class TracedProcess:
    """A child that called `let_parent_trace`.

    Attributes:
        status: What `waitpid` said last.
    """

    def __init__(self, pid: int, folder: Path) -> None:
        """Take a child, and the folder whose files are watched."""
        self._pid, self._folder = pid, folder.resolve()
        self._registers = _Registers()
        _, self.status = os.waitpid(pid, 0)
        if os.WIFSTOPPED(self.status):
            _ptrace(_SET_OPTIONS, pid, _OPTIONS)

    @property
    def is_stopped(self) -> bool:
        """Whether it is there, and waits."""
        return os.WIFSTOPPED(self.status)

    def run_to_call(self) -> Call | None:
        """Let it run until it is about to make a call for a file of the folder; None at its end."""
        while self._run_to_stop():
            call = self._read_call()
            if call is not None:
                return call
            if not self._run_to_stop():  # the end of a call that does not matter
                break
        return None

    def finish_call(self) -> None:
        """Let it make the call."""
        self._run_to_stop()

    def fail_call(self, error: int) -> None:
        """Let the call return an error without being made."""
        self._registers.orig_rax = 2**64 - 1
        self._write_registers()
        if self._run_to_stop():
            self._registers.rax = 2**64 - error
            self._write_registers()

    def shorten_call(self, size: int) -> None:
        """Let the call write or read fewer bytes."""
        whole = self._registers.rdx
        self._registers.rdx = size
        self._write_registers()
        if self._run_to_stop():
            _ptrace(_GET_REGISTERS, self._pid, ctypes.byref(self._registers))
            self._registers.rdx = whole
            self._write_registers()

    def kill(self) -> None:
        """Kill it with signal 9, before the call that it is about to make."""
        os.kill(self._pid, signal.SIGKILL)
        _, self.status = os.waitpid(self._pid, 0)

    def run_to_end(self) -> None:
        """Let it run without being watched."""
        while self.is_stopped:
            _ptrace(_CONTINUE, self._pid)
            _, self.status = os.waitpid(self._pid, 0)

    def _run_to_stop(self) -> bool:
        """Let it run to the beginning or end of a call; False where it ended instead."""
        passed_on = 0
        while True:
            _ptrace(_TO_NEXT_CALL, self._pid, passed_on)
            _, self.status = os.waitpid(self._pid, 0)
            if not self.is_stopped:
                return False
            if os.WSTOPSIG(self.status) == _AT_CALL:
                return True
            passed_on = os.WSTOPSIG(self.status)

    def _read_call(self) -> Call | None:
        registers = self._registers
        _ptrace(_GET_REGISTERS, self._pid, ctypes.byref(registers))
        name = CALLS.get(registers.orig_rax)
        if name is None:
            return None
        if name in ("rename", "unlink"):
            path = Path(self._read_text(registers.rdi))
        else:
            try:
                path = Path(f"/proc/{self._pid}/fd/{registers.rdi}").readlink()
            except OSError:
                return None
        inside = path.parent.resolve() == self._folder
        return Call(name, path.name, registers.rdx) if inside else None

    def _read_text(self, address: int) -> str:
        with Path(f"/proc/{self._pid}/mem").open("rb", 0) as memory:
            memory.seek(address)
            return os.fsdecode(memory.read(4096).split(b"\0")[0])

    def _write_registers(self) -> None:
        _ptrace(_SET_REGISTERS, self._pid, ctypes.byref(self._registers))


def _ptrace(request: int, pid: int, data: object = 0) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    library.ptrace.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    library.ptrace.restype = ctypes.c_long
    address = ctypes.cast(data, ctypes.c_void_p) if not isinstance(data, int) else data
    if library.ptrace(request, pid, None, address) == -1:
        error = ctypes.get_errno()
        raise OSError(error, f"ptrace {request}: {os.strerror(error)}")
