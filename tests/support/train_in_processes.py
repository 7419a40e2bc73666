"""Train in several processes that torchrun could have started: `python train_in_processes.py FILE`.

FILE holds a JSON list of requests, each the arguments of a `TrainRequest`, which are trained one
after the other by the same processes.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def start_processes(command: Sequence[str], count: int) -> list[subprocess.Popen[str]]:
    """Start a Python command in some processes, one thread each, told what torchrun tells them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count)}
    told |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return [
        subprocess.Popen(
            [sys.executable, *command],
            env=os.environ | told | {"RANK": str(n), "LOCAL_RANK": str(n)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(count)
    ]


def train_in_processes(requests: Sequence[dict[str, Any]], count: int, folder: Path) -> list[str]:
    """Train requests in some processes; return what each process said on standard error."""
    file = folder / f"requests-{count}.json"
    file.write_text(json.dumps(list(requests)))
    started = start_processes([__file__, str(file)], count)
    said = [process.communicate(timeout=300)[1] for process in started]
    for process, errors in zip(started, said, strict=True):
        assert process.returncode == 0, errors
    return said


def main(file: str) -> None:
    """Be one of the processes."""
    from promptreid.processes.process_group import joined_processes
    from promptreid.progress import Lines
    from promptreid.training.run.train import TrainRequest, train

    with joined_processes("cpu"):
        for request in json.loads(Path(file).read_text()):
            train(TrainRequest(**request | {"out": Path(request["out"])}), progress=Lines())


if __name__ == "__main__":
    main(sys.argv[1])
