"""A server of Milvus Lite for tests, which speaks the wire of Milvus."""

from __future__ import annotations

import atexit
import functools
import importlib.util
import itertools
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from postgres_server import find_port

NOT_RUN = "milvus-lite or pymilvus is not installed: promptreid[test]"


class MilvusServer:
    """One server, with its files in a folder of its own."""

    def __init__(self) -> None:
        """Start a server."""
        self.folder = Path(tempfile.mkdtemp(prefix="promptreid-milvus-"))
        self.port = find_port()
        self._collections = itertools.count()
        self.start()

    def new_place(self) -> str:
        """Return the URL of a collection that is not there yet."""
        return f"milvus://127.0.0.1:{self.port}/test_{next(self._collections)}"

    def start(self) -> None:
        """Start the server, and wait until it listens."""
        program = Path(sys.executable).with_name("milvus-lite")
        self.process = subprocess.Popen(
            [program, "server", "--data-dir", self.folder, "--host", "127.0.0.1", "--port",
             str(self.port), "--max-workers", "2"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        end = time.monotonic() + 120
        while not self._answers():
            assert self.process.poll() is None, "milvus-lite does not start"
            assert time.monotonic() < end, "milvus-lite does not answer"
            time.sleep(0.05)

    def _answers(self) -> bool:
        from pymilvus import MilvusClient, MilvusException

        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)):
                return False
        try:
            MilvusClient(f"http://127.0.0.1:{self.port}", timeout=5).close()
        except MilvusException:
            return False
        return True

    def kill(self) -> None:
        """Kill the server by signal 9."""
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait(30) == -signal.SIGKILL

    def close(self) -> None:
        """Stop the server and remove its files."""
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def find_reason_not_run() -> str | None:
    """Say why there can be no server here; None where there can."""
    there = all(importlib.util.find_spec(name) for name in ("milvus_lite", "pymilvus"))
    return None if there else NOT_RUN


@functools.cache
def share_server() -> MilvusServer:
    """Return the one server of this process of tests, which starts when it is first asked for."""
    server = MilvusServer()
    atexit.register(server.close)
    return server
