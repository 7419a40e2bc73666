"""`promptreid demo`."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptreid.cli import options
from promptreid.cli.demo_gallery import PHOTOS, RATE, check_demo_gallery, make_demo_gallery
from promptreid.cli.demo_hands import IMAGE_SIZE, render_hands
from promptreid.cli.json_out import JsonOut, json_option

if TYPE_CHECKING:
    from promptreid.progress import Lines

IDENTITIES, NUISANCE = 160, 0.35


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs/demo"),
    show_default=True,
    help="Folder of the rendered hands and both runs.",
)
@click.option(
    "--identities",
    type=click.IntRange(36),
    default=IDENTITIES,
    show_default=True,
    help="People to render; half of them are kept for the test.",
)
@options.seeded
@options.device
@json_option
def demo(out: Path, identities: int, seed: int, device: str | None, json_out: JsonOut) -> None:
    """Train and score on rendered hands: the whole job in minutes, with nothing downloaded.

    Renders a hand set, scores the shipped backbone as it is, trains CLIP-ReID on half of the people
    and scores it on the other half, whom it has never seen. A page of HTML shows both; a gallery of
    further people, photographed as at a gate, is ready to be served. Stopped halfway, the same
    command goes on where it was; what is finished stays as it is.
    """
    from promptreid.progress import Lines
    from promptreid.text.durations import clock

    begun = time.monotonic()
    lines = Lines()
    spec, people = _render(out, identities, seed, lines), identities * 3 // 8
    check_demo_gallery(out, people, seed)
    lines.message("\n2/5  scoring the backbone as it is (zero-shot)")
    shared: dict[str, Any] = {"data": (spec,), "seed": seed, "device": device}
    small = ("backbone.name=tiny", f"backbone.image_size={IMAGE_SIZE}")
    before = _run(lines, recipe="zero-shot", overrides=small, out=out / "zero-shot", **shared)
    lines.message("\n3/5  training CLIP-ReID: identity prompts, then the image tower")
    after = _run(lines, recipe="clip-reid/demo", out=out / "clip-reid", **shared)
    lines.message("\n4/5  writing the evidence on one page")
    page = _report(out, spec, device, lines)
    lines.message(f"\n5/5  enrolling most of {people} other people in a gallery")
    gallery = make_demo_gallery(out, people, seed, device, lines)
    _print(before, after)
    click.echo(
        f"\ntook {clock(time.monotonic() - begun)}; the run is {out / 'clip-reid'}\n"
        f"open in a browser:  {page}\n"
        f"score it again:  promptreid evaluate {out / 'clip-reid'}\n"
        f"look at the data:  promptreid data inspect '{spec}'\n"
        f"who is this?  promptreid serve {gallery}  (or: make serve), then drop pictures of "
        f"{out / PHOTOS} on its page; at most 1 stranger in {1 / RATE:.0f} is taken for somebody, "
        "and its slider sets another rate"
    )
    runs = {"zero-shot": before, "clip-reid": after}
    json_out.give({"data": spec, "scores": runs, "report": page, "gallery": str(gallery)})


def _render(out: Path, identities: int, seed: int, lines: Lines) -> str:
    """Render the hand set unless an earlier demo with the same settings did."""
    from promptreid.errors import RunError
    from promptreid.files import name_entries, write_json

    data = out / f"hands-{identities}-seed{seed}"
    if (data / "HandInfo.csv").is_file():
        lines.message(f"1/5  the hands are there already: {data}")
    else:
        strangers = out.is_dir() and any(entry.name[0] != "." for entry in out.iterdir())
        if strangers and not (out / "demo.json").is_file():
            raise RunError(
                f"The folder {out} is not empty (it holds {name_entries(out)}) and is not an "
                "earlier demo. Give another --out."
            )
        lines.message(f"1/5  rendering the hands of {identities} people")
        write_json(out / "demo.json", {"identities": identities, "seed": seed})
    return render_hands(data, identities, seed, nuisance=NUISANCE, lines=lines)


def _run(lines: Lines, **request: Any) -> dict[str, Any]:
    """Train a run, or go on with it, and return its scores."""
    from promptreid.training.run.train import TrainRequest, train
    from promptreid.training.stage.stop_signals import Interrupted

    try:
        run = train(TrainRequest(**request, resume=True), progress=lines)
    except Interrupted:
        click.echo("stopped; the same command goes on from here", err=True)
        raise click.Abort from None
    return run.scores()[0]


def _report(out: Path, spec: str, device: str | None, lines: Lines) -> str:
    """Write the report on both runs; where its packages are missing, say how to get it later."""
    from promptreid.figures.extra import missing

    runs = [out / "zero-shot", out / "clip-reid"]
    title = "Rendered hands, before and after training"
    page = out / "report.html"
    command = shlex.join(
        ["promptreid", "report", *map(str, runs), "--title", title, "--out", str(page)]
    )
    if missing("matplotlib", "sklearn", "jinja2"):
        return f"pip install 'promptreid[report]', then {command}"
    from promptreid.pages.collect import collect
    from promptreid.pages.collect_options import ReportOptions
    from promptreid.pages.report_page import write_page

    content = collect(
        runs,
        [spec],
        options=ReportOptions(title=title, command=command),
        device=device,
        progress=lines,
    )
    write_page(content, page)
    return str(page)


def _print(before: dict[str, Any], after: dict[str, Any]) -> None:
    from promptreid.evaluation.tables.retrieval_table import render_comparison

    rows = {"zero-shot": before, "CLIP-ReID": after}
    click.echo("\n" + render_comparison(rows, "People never seen in training, 10 draws"))
