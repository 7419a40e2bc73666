"""`start`: the time to the first line of help."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.compare import Check, Comparison, Settings

_IMPORTS = "import torch, torchvision, open_clip\n"
# A process reports its own peak: what the system says of a child includes its parent's memory.
_HELP = """
from promptreid.cli.main import main
try:
    main(["--help"])
finally:
    import sys
    try:
        with open("/proc/self/status") as status:
            print(status.read(), file=sys.stderr)
    except OSError:
        pass
"""
_PEAK = re.compile(r"^VmHWM:\s*(\d+) kB", re.MULTILINE)


@dataclass(frozen=True)
class _Help:
    """What a process printed, and its peak memory in bytes where the system says."""

    text: str
    memory: int | None


def start(settings: Settings) -> Iterator[Comparison]:
    """Compare `promptreid --help` with the same behind the imports of training.

    Plain: an entry point that imports torch, torchvision and open_clip at its top, as the scripts
    of published code do. Ours: commands are imported when they are called.
    """
    yield Comparison(
        "start",
        _process(_IMPORTS + _HELP),
        _process(_HELP),
        lambda plain, ours: (Check("printed text", float(plain.text != ours.text), 0.0),),
        repeats=1 if settings.quick else 5,
        warm_up=not settings.quick,
        own_memory=lambda result: result.memory,
    )


def _process(code: str) -> Callable[[], _Help]:
    def run() -> _Help:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"the help text could not be printed: {done.stderr}")
        peak = _PEAK.search(done.stderr)
        return _Help(done.stdout, None if peak is None else int(peak[1]) << 10)

    return run
