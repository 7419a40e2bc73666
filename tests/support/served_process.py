"""A process that has imported the service, and forks those that serve a gallery and are killed.

Run as a program it reads an order a line, and answers a line.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from gallery_model import PixelModel

from promptreid.gallery.records.sqlite.sqlite_records import SqliteRecords
from promptreid.serve.application import create_app
from promptreid.serve.http_server import Address, listen, run_server
from promptreid.serve.served_models import ServedModel, ServedModels
from promptreid.serve.service import Service
from promptreid.serve.service_settings import ServiceSettings


@dataclass(frozen=True)
class ServerEnd:
    """How a server ended.

    Attributes:
        alive: Whether it was there when the signal was sent.
        signal: Number of the signal that ended it; None where it ended by itself.
    """

    alive: bool
    signal: int | None


class ServerNursery:
    """The other side of the process that forks servers, one at a time."""

    def __init__(self) -> None:
        """Start it; it imports once what every server needs."""
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment | {"OMP_NUM_THREADS": "1"},
        )

    def start(self, folder: Path) -> str:
        """Start a server of a gallery, and return its address."""
        return self._order(str(folder))

    def end(self, sent: signal.Signals) -> ServerEnd:
        """Send the server a signal, wait for its end, and say how it was."""
        return ServerEnd(**self._order(sent.value))

    def close(self) -> None:
        """End the process that forks."""
        self._process.kill()
        self._process.communicate()

    def _order(self, order: str | int):
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


def fork_server(folder: str) -> int:
    """Fork a server, which writes its address to standard output when it is ready."""
    pid = os.fork()
    if pid:
        return pid
    try:
        torch.set_num_threads(1)
        address = Address("127.0.0.1", 0)
        taken = listen(address)
        settings = ServiceSettings(hosts=frozenset({"127.0.0.1"}))
        models = ServedModels([ServedModel(PixelModel())])
        service = Service.start(SqliteRecords.open(Path(folder)), models, settings)
        url = address.url(taken.getsockname()[1])
        run_server(create_app(service), address, taken, lambda: print(json.dumps(url), flush=True))
    finally:
        os._exit(0)


def end_server(pid: int, sent: int) -> ServerEnd:
    """Send a server a signal, and wait for its end."""
    alive = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    os.kill(pid, sent)
    status = os.waitpid(pid, 0)[1]
    return ServerEnd(alive, os.WTERMSIG(status) if os.WIFSIGNALED(status) else None)


if __name__ == "__main__":
    server = 0
    for line in sys.stdin:
        given = json.loads(line)
        if isinstance(given, str):
            server = fork_server(given)
        else:
            print(json.dumps(asdict(end_server(server, given))), flush=True)
