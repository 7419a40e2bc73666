"""Train in several processes: `python train_in_processes.py FILE` is one of them.

FILE holds a JSON list of requests, each the arguments of a `TrainRequest`, which are trained one
after the other by the same processes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from forked_processes import run_processes


def train_in_processes(requests: Sequence[dict[str, Any]], count: int, folder: Path) -> list[str]:
    """Train requests in some processes; return what each process said on standard error."""
    file = folder / f"requests-{count}.json"
    file.write_text(json.dumps(list(requests)))
    ended = run_processes([__file__, str(file)], count)
    for one in ended:
        assert one.code == 0, one.errors
    return [one.errors for one in ended]


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
