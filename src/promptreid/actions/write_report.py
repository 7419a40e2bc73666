"""The page of runs, as the command `report` and Python write it."""

from __future__ import annotations

import html
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from promptreid.actions.run_data_specs import existing_models, find_run_data
from promptreid.actions.train_settings import list_specs
from promptreid.data.data_spec import parse_spec
from promptreid.errors import ConfigError
from promptreid.evaluation.embeddings.kept_embeddings import choose_embedding_cache
from promptreid.figures.extra import need
from promptreid.pages.collect import collect
from promptreid.pages.collect_options import ReportOptions
from promptreid.pages.content import Content, Test, TestedRun
from promptreid.pages.report_page import write_page
from promptreid.pages.report_page.summary import best_run, side
from promptreid.progress import Lines, Progress
from promptreid.text.lists import list_words

if TYPE_CHECKING:
    from promptreid.data.dataset import DataSet

_PAGE = "report.html"


@dataclass(frozen=True, eq=False, repr=False)
class WrittenReport:
    """A page of HTML that holds all evidence on runs.

    Printed, it says what `promptreid report` says: the file, the best run, and how sure that is.

    Attributes:
        path: The page.
        size: Its bytes.
        content: What it says, as plain values.
    """

    path: Path
    size: int
    content: Content

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    def __str__(self) -> str:
        return "\n".join([f"wrote {self.path} ({self.size / 1e6:.1f} MB)", *self._verdict()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        address, name = html.escape(quote(os.fspath(self.path))), html.escape(self.path.name)
        link = f"<a href='{address}' target='_blank'>{name}</a>"
        words = "<br>".join(html.escape(line) for line in self._verdict())
        return f"<p>{link} ({self.size / 1e6:.1f} MB)<br>{words}</p>"

    def best_scores(self) -> list[dict[str, Any]]:
        """Return the best run on each data set with its scores and their intervals, JSON-ready."""
        records = []
        for test in self.content.tests:
            best = best_run(test)
            records.append({"data": test.name, "best": best.name, **best.intervals.to_dict()})
        return records

    def _verdict(self) -> tuple[str, str]:
        """Say in two lines what the best run scores, and how sure that is."""
        tests = self.content.tests
        best = best_run(tests[0])
        on = f"on {tests[0].name}"
        if len(tests) > 1:
            on += f", the first of {len(tests)} data sets"
        scores = f"{_scored(best, 'mAP')}, {_scored(best, 'rank-1')}"
        return f"{best.name}: {scores} {on}", _certainty(tests[0], best)


def report(
    *runs: str | os.PathLike[str],
    data: str | DataSet | Sequence[str | DataSet] = (),
    out: str | os.PathLike[str] | None = None,
    names: str | Sequence[str] = (),
    title: str = "",
    by: str | Sequence[str] = (),
    map: str = "tsne",
    pixelate: bool = False,
    seed: int = 0,
    device: str | None = None,
    unreadable: str = "stop",
    cache: str | os.PathLike[str] | None = None,
    no_cache: bool = False,
    batch_size: int = 64,
    progress: Progress | None = None,
) -> WrittenReport:
    """Write all evidence on runs into one HTML file that needs nothing else.

    The arguments are the options of `promptreid report`.

    Args:
        runs: Runs or checkpoints.
        data: Data sets to score on; none for the runs' own.
        out: The page; None for `report.html` in the folder of the run, or here for several.
        names: What each run is called; none to take the names from the paths.
        title: Title of the page; "" names the runs.
        by: Attributes to break scores down by; none for up to four with 2 to 12 values.
        map: How embeddings are laid out in the plane: "tsne", "umap" or "pca".
        pixelate: Show all pictures as coarse mosaics.
        seed: Draws identities, images and resamples, and starts the map.
        device: Where models compute; None for the best there is.
        unreadable: "stop" at images that cannot be decoded, or "skip" them.
        cache: Folder of embeddings already made; None for the usual one.
        no_cache: Neither read nor keep embeddings.
        batch_size: Images per forward pass.
        progress: Where to report; None for lines on standard error.

    Raises:
        RunError: There is no such run.
        ConfigError: A name, spec or option is wrong, or the extra `report` is not installed.
        DataError: A data set or an image cannot be read.
        EvaluationError: A data set has nothing to test on.

    Example:
        >>> page = promptreid.report("runs/mine", out="mine.html", device="cpu")
        >>> page.path.name
        'mine.html'
    """
    models = existing_models(runs)
    specs = list_specs(data) or find_run_data(models)
    for spec in specs:
        parse_spec(spec)
    need("matplotlib")
    need("jinja2")
    page = Path(out) if out is not None else _default_out(models)
    if page.is_dir():
        raise ConfigError(f"--out {page} is a folder; name the file, such as {page / _PAGE}.")
    progress = progress or Lines()
    shown: dict[str, Any] = {
        "by": tuple(dict.fromkeys(list_words(by))),
        "names": list_words(names),
        "title": title,
        "method": map,
        "seed": seed,
        "pixelate": pixelate,
        "unreadable": unreadable,
    }
    with progress.doing(f"preparing {page}"):
        content = collect(
            models,
            specs,
            options=ReportOptions(command=_command(models, specs, page, shown), **shown),
            cache=choose_embedding_cache(cache, no_cache=no_cache),
            device=device,
            batch_size=batch_size,
            progress=progress,
        )
    with progress.doing(f"writing {page}"):
        size = write_page(content, page)
    return WrittenReport(page, size, content)


def _default_out(runs: Sequence[Path]) -> Path:
    """Put the report of one run into its folder, and any other here."""
    alone = len(runs) == 1 and runs[0].is_dir()
    return runs[0] / _PAGE if alone else Path(_PAGE)


def _command(
    runs: Sequence[Path], specs: Sequence[str], out: Path, shown: Mapping[str, Any]
) -> str:
    """Write the command that makes the same report again, in full."""
    words = ["promptreid", "report", *map(str, runs)]
    for option, values in (("--data", specs), ("--name", shown["names"]), ("--by", shown["by"])):
        words += [word for value in values for word in (option, value)]
    words += ["--title", shown["title"]] if shown["title"] else []
    words += ["--map", shown["method"], "--seed", str(shown["seed"])]
    words += ["--pixelate"] if shown["pixelate"] else []
    words += ["--unreadable", "skip"] if shown["unreadable"] == "skip" else []
    return shlex.join([*words, "--out", str(out)])


def _certainty(test: Test, best: TestedRun) -> str:
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
