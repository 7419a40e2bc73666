"""What a check of a card gives: sections of rows, as JSON and as Markdown."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks.compare import Settings, describe_device
from promptreid.errors import first_line

NO_CUDA = "no CUDA"
"""What a row says that was run on a processor, where its numbers mean nothing for a card."""


@dataclass(frozen=True)
class Run:
    """How a check is run.

    Attributes:
        settings: Device, threads, and whether sizes are small.
        folder: For what is written on the way.
        until: When the time is up, by `time.monotonic`; rows that would begin later are left out.
    """

    settings: Settings
    folder: Path
    until: float

    @property
    def device(self) -> torch.device:
        """Where work is done."""
        return self.settings.device

    @property
    def on_card(self) -> bool:
        """Whether that is a card."""
        return self.device.type == "cuda"

    @property
    def state(self) -> str:
        """What a finished row says of itself."""
        return "done" if self.on_card else NO_CUDA

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self.until


@dataclass
class Section:
    """One part of a check.

    Attributes:
        title: What is checked.
        rows: Values by column; each row has a `state`.
        failed: Whether a row says that something is wrong.
        seconds: How long it took.
    """

    title: str
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    failed: bool = False
    seconds: float = 0.0


Part = Callable[[Run], Iterator[Mapping[str, Any]]]
"""Yields the rows of a section; a row whose `state` begins with "failed" fails the check."""


def run_section(title: str, part: Part, run: Run) -> Section:
    """Run a part to its end, or until it fails; either way what it gave so far is kept."""
    section, begun = Section(title), time.monotonic()
    try:
        for row in part(run):
            section.rows.append(row)
            section.failed |= str(row["state"]).startswith("failed")
    except Exception as error:  # one part that fails must not hide the others
        section.rows.append({"state": f"failed: {type(error).__name__}: {first_line(error)}"})
        section.failed = True
    section.seconds = round(time.monotonic() - begun, 1)
    return section


@contextlib.contextmanager
def matrix_products(numbers: str) -> Generator[None]:
    """Let a card round the factors of float32 products to TF32, or not, within the block.

    Args:
        numbers: "tf32"; any other name for true float32.
    """
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if numbers == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = numbers == "tf32"
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def describe_run(settings: Settings) -> dict[str, Any]:
    """Say on what a check ran."""
    on_card = settings.device.type == "cuda"
    facts: dict[str, Any] = {
        "device": describe_device(settings, settings.threads),
        "torch": torch.__version__,
        "cuda": torch.version.cuda if on_card else None,
        "dry": settings.quick,
    }
    if on_card:
        properties = torch.cuda.get_device_properties(settings.device)
        facts["memory GiB"] = round(properties.total_memory / 2**30, 1)
        facts["capability"] = f"{properties.major}.{properties.minor}"
    return facts


def write_check(folder: Path, facts: Mapping[str, Any], sections: Sequence[Section]) -> list[Path]:
    """Write a check as `gpu_check.json` and `gpu_check.md`; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {**facts, "sections": [asdict(section) for section in sections]}
    table, words = folder / "gpu_check.json", folder / "gpu_check.md"
    table.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    words.write_text("\n".join(markdown_lines(facts, sections)) + "\n", encoding="utf-8")
    return [table, words]


def markdown_lines(facts: Mapping[str, Any], sections: Sequence[Section]) -> Iterator[str]:
    """Lay a check out as Markdown."""
    yield f"# Check of {facts['device']}"
    yield ""
    yield from (f"- {name}: {value}" for name, value in facts.items() if value is not None)
    for section in sections:
        yield ""
        yield f"## {section.title} ({section.seconds:g} s)"
        yield ""
        columns = list(dict.fromkeys(name for row in section.rows for name in row))
        yield f"| {' | '.join(columns)} |"
        yield f"|{'---|' * len(columns)}"
        for row in section.rows:
            yield f"| {' | '.join(_cell(row.get(name)) for name in columns)} |"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return text.replace("|", "/").replace("\n", " ")
