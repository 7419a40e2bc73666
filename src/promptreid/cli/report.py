"""`promptreid report`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptreid.cli import options
from promptreid.cli.output import reporter, started
from promptreid.text.lists import listed

if TYPE_CHECKING:
    from promptreid.pages.content import Content, Test, TestedRun

_PAGE = "report.html"


@click.command()
@options.runs
@options.data("Data set to score on; may be given several times.  [default: the runs' own]")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.html",
    help="Where the page goes; an earlier one is replaced.  [default: report.html in the folder of "
    "the run if there is one run, else here]",
)
@options.run_names
@click.option("--title", default="", help="Of the page.  [default: names the runs]")
@click.option(
    "--by",
    multiple=True,
    metavar="ATTRIBUTE",
    help="Break scores down by an attribute, by camera, view or domain, or by pairs of values of "
    "query and gallery (camera-pair); may be given several times.  [default: up to four with 2 to "
    "12 values]",
)
@click.option(
    "--map",
    "method",
    type=click.Choice(["tsne", "umap", "pca"]),
    default="tsne",
    show_default=True,
    help="How embeddings are laid out in the plane.",
)
@options.pixelated
@options.seeded
@options.device
@options.unreadable
@options.embedding
def report(
    runs: tuple[Path, ...],
    specs: tuple[str, ...],
    out: Path | None,
    by: tuple[str, ...],
    **chosen: Any,
) -> None:
    """Write all evidence on runs into one HTML file that needs nothing else; extra `report`.

    What was run and on which data, learning curves, scores with 95 % intervals, verification, rank
    lists, where the models look, maps of embeddings, breakdowns and queries without a match. With
    several runs: side by side, with paired differences to the first.

    \b
    promptreid report runs/my-run
    promptreid report runs/zero-shot runs/clip-reid --data SPEC --out both.html
    promptreid report runs/my-run --by gender --by skinColor --pixelate --map pca
    """  # noqa: D301 - click reads the \b itself
    from promptreid.cli.evaluating.known_data import find_run_data
    from promptreid.data.data_spec import parse_spec
    from promptreid.figures.extra import need

    specs = specs or find_run_data(runs)
    for spec in specs:
        parse_spec(spec)
    need("matplotlib")
    need("jinja2")
    out = out or _default_out(runs)
    if out.is_dir():
        raise click.UsageError(f"--out {out} is a folder; name the file, such as {out / _PAGE}.")

    progress = reporter()
    with started(f"reading {listed([str(run) for run in runs])}"):
        from promptreid.pages.collect import collect
        from promptreid.pages.collect_options import ReportOptions
        from promptreid.pages.report_page import write_page

    by = tuple(dict.fromkeys(by))
    shown = ("method", "pixelate", "seed", "names", "title", "unreadable")
    choices = {name: chosen[name] for name in shown}
    content = collect(
        runs,
        specs,
        options=ReportOptions(by=by, command=_command(runs, specs, out, by, chosen), **choices),
        cache=options.cache_folder(chosen["cache"], no_cache=chosen["no_cache"]),
        device=chosen["device"],
        batch_size=chosen["batch_size"],
        progress=progress,
    )
    with progress.doing(f"writing {out}"):
        size = write_page(content, out)
    click.echo(f"wrote {out} ({size / 1e6:.1f} MB)")
    _print_best(content)


def _print_best(content: Content) -> None:
    """Print in two lines the scores of the best run, and how sure they are."""
    from promptreid.pages.report_page.summary import best_run

    test = content.tests[0]
    best = best_run(test)
    on = f"on {test.name}"
    if len(content.tests) > 1:
        on += f", the first of {len(content.tests)} data sets"
    click.echo(f"{best.name}: {_scored(best, 'mAP')}, {_scored(best, 'rank-1')} {on}")
    click.echo(_certainty(test, best))


def _certainty(test: Test, best: TestedRun) -> str:
    from promptreid.pages.report_page.summary import side

    if test.pairs:
        pair = max(test.pairs, key=lambda pair: abs(pair.differences["mAP"].value))
        change = pair.differences["mAP"]
        return (
            f"{pair.name} against {pair.baseline}: {100 * change.value:+.1f} points of mAP "
            f"[{100 * change.low:+.1f}, {100 * change.high:+.1f}], "
            f"which {'is no' if side(change) else 'may be'} chance"
        )
    if best.verification is None:
        return f"{test.queries:,} queries, {test.gallery:,} gallery images; nothing to verify"
    verified = best.verification
    text = f"verification: EER {100 * verified.eer:.1f} %, AUC {verified.auc:.3f}"
    for far in verified.fars:
        tar = verified.tar(far)
        if tar is not None and far <= 1e-3:
            return f"{text}, TAR {100 * tar:.1f} % at FAR {far:g}"
    return text


def _scored(run: TestedRun, score: str) -> str:
    interval = run.intervals.scores[score]
    value, low, high = (100 * end for end in (interval.value, interval.low, interval.high))
    return f"{score} {value:.1f} % [{low:.1f}, {high:.1f}]"


def _default_out(runs: Sequence[Path]) -> Path:
    """Put the report of one run into its folder, and any other here."""
    alone = len(runs) == 1 and runs[0].is_dir()
    return runs[0] / _PAGE if alone else Path(_PAGE)


def _command(
    runs: Sequence[Path],
    specs: Sequence[str],
    out: Path,
    by: Sequence[str],
    chosen: Mapping[str, Any],
) -> str:
    """Write the command that makes the same report again, in full."""
    words = ["promptreid", "report", *map(str, runs)]
    for option, values in (("--data", specs), ("--name", chosen["names"]), ("--by", by)):
        words += [word for value in values for word in (option, value)]
    words += ["--title", chosen["title"]] if chosen["title"] else []
    words += ["--map", chosen["method"], "--seed", str(chosen["seed"])]
    words += ["--pixelate"] if chosen["pixelate"] else []
    words += ["--unreadable", "skip"] if chosen["unreadable"] == "skip" else []
    return shlex.join([*words, "--out", str(out)])
