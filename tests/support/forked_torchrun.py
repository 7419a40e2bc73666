"""Does what torchrun does, with copies of itself as workers: `forked_torchrun.py MODULE WORD…`.

Two of them run a module with words behind it; when one fails, both are started again, once.
"""

from __future__ import annotations

import runpy
import sys

from torch.distributed.launcher.api import LaunchConfig, elastic_launch

WORKERS = 2


def run_module(*words: str) -> None:
    """Be a worker: run a module as `torchrun -m` does."""
    sys.argv = list(words)
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code:
            raise RuntimeError(f"{words[0]} has ended with {end.code}") from end


if __name__ == "__main__":
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=WORKERS,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        run_id="test",
        max_restarts=1,
        monitor_interval=0.2,
        start_method="fork",
    )
    elastic_launch(config, run_module)(*sys.argv[1:])
