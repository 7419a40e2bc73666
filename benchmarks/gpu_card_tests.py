"""Run the tests of the repository that need a card."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.gpu_rows import NO_CUDA, Run

_ROOT = Path(__file__).resolve().parents[1]
_MOST_SECONDS = 180
_MARK = "pytest.mark.cuda"


def run_card_tests(run: Run) -> Iterator[Mapping[str, Any]]:
    """Run the tests marked `cuda`; without a card, only collect them."""
    row = {"tests": "pytest -m cuda"}
    if importlib.util.find_spec("pytest") is None or not (_ROOT / "tests").is_dir():
        yield {**row, "state": "left out: pytest or the tests are not here"}
        return
    command = [sys.executable, "-m", "pytest", "-q", "-m", "cuda", "-p", "no:cacheprovider"]
    if not run.on_card:
        command.append("--collect-only")
    files = [path for path in _ROOT.glob("tests/**/test_*.py") if _MARK in path.read_text("utf-8")]
    done = subprocess.run(
        [*command, *map(str, files)],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=_MOST_SECONDS,
        check=False,
    )
    lines = done.stdout.strip().splitlines()
    said = lines[-1].strip("= ") if lines else ""
    good = "done" if run.on_card else f"{NO_CUDA}: only collected"
    state = good if done.returncode == 0 else f"failed: pytest ended with {done.returncode}"
    yield {**row, "result": said, "state": state}
