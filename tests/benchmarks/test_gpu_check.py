"""The check of a card runs to its end on the processor, and says that it is none."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.compare import Settings
from benchmarks.gpu_check import PARTS, main
from benchmarks.gpu_parity import FAMILIES, compare_devices
from benchmarks.gpu_rows import NO_CUDA, Run, markdown_lines, run_section
from click.testing import CliRunner


def run_of(folder: Path, *, seconds: float = 60) -> Run:
    settings = Settings(quick=True, threads=1, device=torch.device("cpu"))
    return Run(settings, folder, time.monotonic() + seconds)


@pytest.mark.slow
def test_a_dry_run_ends_and_no_row_speaks_of_a_card(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--dry", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out" / "gpu_check.json").read_text())
    assert found["dry"] is True
    assert found["cuda"] is None
    assert [section["title"] for section in found["sections"]] == list(PARTS)
    for section in found["sections"]:
        assert section["rows"], section["title"]
        assert all(row["state"].startswith(NO_CUDA) for row in section["rows"]), section
    compared = found["sections"][0]["rows"]
    assert [row["recipe"] for row in compared] == list(FAMILIES)
    works = {row["work"] for row in found["sections"][-1]["rows"]}
    assert works == {"train", "embed"}
    words = (tmp_path / "out" / "gpu_check.md").read_text()
    assert all(f"## {title}" in words for title in PARTS)


def test_without_cuda_only_a_dry_run_is_possible(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        return
    done = CliRunner().invoke(main, ["--out", str(tmp_path)])
    assert done.exit_code != 0
    assert "--dry" in done.output
    assert not list(tmp_path.iterdir())


def failing(run: Run) -> Iterator[Mapping[str, Any]]:
    yield {"name": "one", "state": "done"}
    raise ValueError("a | b\nc")


def test_a_part_that_fails_keeps_its_rows_and_fails_the_check(tmp_path: Path) -> None:
    section = run_section("part", failing, run_of(tmp_path))
    assert section.failed
    assert section.rows[0] == {"name": "one", "state": "done"}
    assert "ValueError" in section.rows[1]["state"]
    lines = list(markdown_lines({"device": "none"}, [section]))
    assert "| one | done |" in lines
    assert sum(line.startswith("|") for line in lines) == 4


def test_rows_that_would_begin_too_late_are_left_out(tmp_path: Path) -> None:
    rows = list(compare_devices(run_of(tmp_path, seconds=-1)))
    assert [row["recipe"] for row in rows] == list(FAMILIES)
    assert all("no time" in row["state"] for row in rows)


def test_families_are_those_of_the_recipes() -> None:
    assert {"clip-reid", "prompt-sg", "mta-clip", "pretrain-moco", "hand-clip"} <= set(FAMILIES)
    assert not any("/" in name for name in FAMILIES)
