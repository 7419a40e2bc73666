"""What this machine gives to decoding: processor cores, and memory for decoded images."""

from __future__ import annotations

import os
from pathlib import Path

from promptreid.processor import count_cores

_MOST_THREADS = 16
_LARGEST_CACHE = 4 << 30  # bytes
_SHARE_OF_MEMORY = 0.25
_MEMORY_IF_UNKNOWN = 4 << 30


def default_threads() -> int:
    """Processor cores that this process may use, up to 16."""
    return min(_MOST_THREADS, count_cores())


def cache_budget() -> int:
    """Bytes that a store may keep when it decides by itself."""
    return min(_LARGEST_CACHE, int(_SHARE_OF_MEMORY * _free_memory()))


def _free_memory() -> int:
    """Bytes that can be used without swapping, heeding a container's limit."""
    free = _free_on_machine()
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            # Cached files count towards a container's use but give way, so they are not in here.
            used = _number_after("anon ", group / "memory.stat")
            free = max(0, min(free, int(limit) - used))
    except (OSError, ValueError):
        pass  # no container, or one that does not say
    return free


def _free_on_machine() -> int:
    try:
        return _number_after("MemAvailable:", Path("/proc/meminfo")) << 10
    except (OSError, ValueError):
        pass  # not Linux
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return _MEMORY_IF_UNKNOWN


def _number_after(key: str, file: Path) -> int:
    for line in file.read_text().splitlines():
        if line.startswith(key):
            return int(line[len(key) :].split()[0])
    raise ValueError(f"{file} has no {key!r}")
