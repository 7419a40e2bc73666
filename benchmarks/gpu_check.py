"""Check a card in a few minutes: does the library compute there what it should, and how fast?

    python benchmarks/gpu_check.py [--dry] [--out FOLDER] [--device cuda:1] [--minutes 8]

Needs an installed torch from the oldest supported release on, and neither a network nor data:
pictures are painted, weights are random. Writes `gpu_check.json` and `gpu_check.md`.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import click
import torch

PARTS: Mapping[str, tuple[str, float]] = MappingProxyType(
    {
        "Steps of each family of recipes, compared with the processor's": (
            "gpu_parity:compare_devices",
            0.25,
        ),
        "A group of one process, against none": ("gpu_processes:train_in_group", 0.3),
        "Tests that need a card": ("gpu_card_tests:run_card_tests", 0.4),
        "A short training of the tiny backbone": ("gpu_feed:train_tiny", 0.45),
        "Loading and augmenting": ("gpu_feed:feed_card", 0.5),
        "Against the plain formulation": ("gpu_plain:compare_with_plain", 0.65),
        "Images a second": ("gpu_speed:measure_speed", 1.0),
    }
)
"""Where each part is, by its title, and at which share of the whole time its last row may begin."""


@click.command()
@click.option("--dry", is_flag=True, help="Small sizes on the processor, to see that all runs.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("gpu_check"),
    show_default=True,
    help="Folder for the two files.",
)
@click.option("--device", default="cuda", show_default=True, help="Which card.")
@click.option("--minutes", default=7.0, show_default=True, help="When the last row may begin.")
def main(dry: bool, out: Path, device: str, minutes: float) -> None:
    """Check a card, and write what was found."""
    from benchmarks.compare import Settings
    from benchmarks.gpu_rows import Run, describe_run, run_section, write_check
    from promptreid.processor import count_cores

    if not dry and not torch.cuda.is_available():
        raise click.ClickException(
            "There is no CUDA here, so no card can be checked. Install a torch with CUDA and its "
            "driver, or give --dry to run everything at small sizes on the processor."
        )
    place = torch.device("cpu" if dry else device)
    settings = Settings(quick=dry, threads=count_cores(), device=place)
    begun, sections = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        for title, (where, share) in PARTS.items():
            click.echo(f"{title} ...")
            module, _, name = where.partition(":")
            part = getattr(importlib.import_module(f"benchmarks.{module}"), name)
            run = Run(settings, Path(folder), begun + 60 * minutes * share)
            sections.append(run_section(title, part, run))
            click.echo(f"  {len(sections[-1].rows)} rows in {sections[-1].seconds:g} s")
    facts = {**describe_run(settings), "seconds": round(time.monotonic() - begun, 1)}
    for path in write_check(out, facts, sections):
        click.echo(f"wrote {path}")
    failed = [section.title for section in sections if section.failed]
    if failed:
        raise click.ClickException(f"failed: {', '.join(failed)}; the rows say why")


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[1]
    # As a script, only this folder is on the path, where names of the standard library are taken.
    sys.path[:1] = [str(root), str(root / "src")]
    main()
