"""Record of where a run was made: versions, machine, device, seed."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from promptreid.processes.asked_call import read_asked_call
from promptreid.processor import describe_processor
from promptreid.runs.run_records import EnvironmentRecord, ProductChoice
from promptreid.version import __version__

_PACKAGES = ("torch", "torchvision", "open_clip_torch", "timm", "numpy", "pillow", "safetensors")


def record_environment(
    *,
    seed: int,
    device: torch.device,
    precision: str,
    products: ProductChoice,
    unreadable: str,
    track_pictures: str,
    before: bool,
    processes: int,
) -> EnvironmentRecord:
    """Return what is needed to say how a run was made; see `EnvironmentRecord`."""
    return EnvironmentRecord(
        promptreid=__version__,
        git=_git_commit(),
        python=platform.python_version(),
        packages={name: number for name in _PACKAGES if (number := _version(name))},
        platform=platform.platform(),
        processor=describe_processor().name,
        cores=os.cpu_count(),
        threads=torch.get_num_threads(),
        device=_device_name(device),
        precision=precision,
        products=products,
        seed=seed,
        command=read_asked_call(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        unreadable=unreadable,
        track_pictures=track_pictures,
        before=before,
        processes=processes,
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    """Return the commit of the source tree the package runs from, `+changes` if it has some."""
    folder = Path(__file__).parent
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        tracked = _git(folder, "ls-files", "--error-unmatch", str(Path(__file__)))
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return (commit + ("+changes" if changed else "")) if tracked else None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    return done.stdout.strip()


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return str(device)
