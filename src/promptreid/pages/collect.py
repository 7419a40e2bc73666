"""Everything that a report says, gathered from runs and data sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from promptreid.data.images.readable import load_shown
from promptreid.errors import ModelError, RunError
from promptreid.evaluation.assessment import Assessment
from promptreid.evaluation.uncertainty.resampling import Bootstrap
from promptreid.evaluation.uncertainty.training_gain import Worth
from promptreid.figures.activation.draw_activation import activation_rows
from promptreid.figures.activation.overlay import MapRow, activation_alt, activation_figure
from promptreid.figures.cmc import cmc_alt, cmc_figure
from promptreid.figures.draw_scores import PAIR_FIGURES, draw_verification
from promptreid.figures.drawn import Drawn
from promptreid.figures.extra import need
from promptreid.figures.layouts.layouts import check_layout
from promptreid.figures.style import LIGHT, check_lines
from promptreid.inference.assess import assess
from promptreid.inference.embedder import Embedder
from promptreid.inference.load import load
from promptreid.inference.text_controls.word_control import WordControl
from promptreid.pages.collect_data import Pictures, ReportData, choose_report_data
from promptreid.pages.collect_map import map_section
from promptreid.pages.collect_options import ReportOptions
from promptreid.pages.collect_ranks import rank_sections
from promptreid.pages.collect_runs import learning_curves, run_facts
from promptreid.pages.collect_scores import pair_runs, score_run, unmatched_queries
from promptreid.pages.collect_texts import Texts, map_texts
from promptreid.pages.collect_words import read_controls
from promptreid.pages.content import Content, Test, TestedRun
from promptreid.progress import Progress, Silent
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.seen_identities import make_testable
from promptreid.text.lists import listed
from promptreid.text.names import run_names
from promptreid.version import __version__

_RANKS = 20
_LONGEST_SIDE = 240


@dataclass(frozen=True, eq=False)
class _Look:
    """What one run made of the images of one data set; the model itself is gone by then.

    Texts are None without a map of embeddings; words and worth are what the run's folder says.
    """

    name: str
    assessment: Assessment
    maps: tuple[MapRow, ...]
    texts: Texts | None
    words: WordControl | None
    worth: Worth | None
    remarks: tuple[str, ...]


def collect(
    runs: Sequence[Path],
    specs: Sequence[str],
    *,
    options: ReportOptions | None = None,
    cache: Path | None = None,
    device: str | None = None,
    batch_size: int = 64,
    progress: Progress | None = None,
) -> Content:
    """Score runs on data sets, and choose the pictures and draw the figures that show how.

    Each run embeds each data set once; all else comes from these embeddings. One model is in memory
    at a time.

    Args:
        runs: Run folders or checkpoints, at least one.
        specs: Data sets, at least one.
        options: What is shown; None for what `ReportOptions` does by itself.
        cache: Folder where embeddings are kept; None to keep none.
        device: Where models compute; None for the best there is.
        batch_size: Images per forward pass.
        progress: Where to report; None for silence.

    Raises:
        RunError: There is no such run.
        ConfigError: Names, a spec or an option is wrong, or a package is missing.
        DataError: A data set or an image cannot be read.
        EvaluationError: A data set has nothing to test on, or not what is asked for.
    """
    options = options or ReportOptions()
    progress = progress or Silent()
    labels = _checked(runs, options)
    datasets = choose_report_data(
        [
            make_testable(
                runs,
                load_shown(spec, policy=options.unreadable, progress=progress),
                say=progress.message,
            )
            for spec in dict.fromkeys(specs)
        ],
        options,
    )
    with progress.doing("drawing learning curves"):
        curves, curve_remarks = learning_curves(labels, runs)
    facts, looks = [], [[] for _ in datasets]
    bootstrap = Bootstrap(seed=options.seed)
    for label, path in zip(labels, runs, strict=True):
        with progress.doing(f"loading {path}"):
            embedder = load(path, device=device)
        facts.append(run_facts(label, path, embedder))
        for data, made in zip(datasets, looks, strict=True):
            assessment = assess(
                embedder,
                data.test_set,
                bootstrap=bootstrap,
                cache=cache,
                batch_size=batch_size,
                progress=progress,
            )
            made.append(_look(label, RunFolder.of(path), embedder, data, assessment, progress))
    return Content(
        title=options.title or f"Report of {listed(labels)}",
        made=datetime.now(UTC).date().isoformat(),
        version=__version__,
        command=options.command,
        runs=tuple(facts),
        curves=curves,
        tests=tuple(
            _test(data, made, options, progress) for data, made in zip(datasets, looks, strict=True)
        ),
        pixelated=options.pixelate,
        remarks=curve_remarks,
    )


def _checked(runs: Sequence[Path], options: ReportOptions) -> tuple[str, ...]:
    """Refuse early what would fail only after models have run; return the names of the runs."""
    labels = run_names(runs, options.names)
    for run in runs:
        if not run.exists():
            raise RunError(f"There is no run or checkpoint {run}.")
    check_lines(len(runs), LIGHT)
    need("matplotlib")
    check_layout(options.method)
    return labels


def _look(
    name: str,
    run: RunFolder | None,
    embedder: Embedder,
    data: ReportData,
    assessment: Assessment,
    progress: Progress,
) -> _Look:
    """Let a model see the test images for activation maps and sentences."""
    maps: list[MapRow] = []
    remarks = []
    try:
        with progress.doing(f"looking where {name} looks"):
            maps = activation_rows(name, embedder, data.looked_at.manifest)
    except ModelError as error:
        remarks.append(f"There are no activation maps of {name}: {error}")
    words, worth = read_controls(run, data.dataset)
    return _Look(
        name,
        assessment,
        tuple(maps),
        texts=None if data.mapped is None else map_texts(name, embedder, data.mapped),
        words=words,
        worth=worth,
        remarks=tuple(remarks),
    )


def _test(
    data: ReportData, looks: Sequence[_Look], options: ReportOptions, progress: Progress
) -> Test:
    """Put together all that is said of one data set."""
    tested, remarks = [], [*data.remarks]
    for look in looks:
        progress.detail(f"scoring {look.name} on {data.test_set.name}")
        with progress.doing(f"scoring {look.name}"):
            run, missing = score_run(look.name, look.assessment, data.by)
        tested.append(replace(run, words=look.words, worth=look.worth))
        remarks += missing
    for look in looks:
        remarks += look.remarks
    assessed = {look.name: look.assessment for look in looks}
    pictures = Pictures(data.test_set, pixelate=options.pixelate)
    progress.detail(f"drawing figures of {data.test_set.name}")
    with progress.doing("drawing figures"):
        maps = [row for look in looks for row in look.maps]
        figures = _score_figures(tested, data.test_set.name) | _look_figure(maps, data, pictures)
        section = None
        if data.mapped is not None:
            texts = [look.texts for look in looks if look.texts is not None]
            vectors = {name: run.embeddings.vectors for name, run in assessed.items()}
            section, map_remarks = map_section(data.mapped, vectors, texts, options, pictures)
            remarks += map_remarks
        ranks = rank_sections(assessed, options, pictures)
    dataset, scores = data.dataset, tested[0].scores
    return Test(
        spec=dataset.spec,
        name=dataset.manifest.name,
        fingerprint=dataset.manifest.fingerprint(),
        counts=dataset.manifest.counts(),
        notes=dataset.notes,
        protocol=scores.protocol,
        repeats=scores.repeats,
        queries=scores.per_repeat[0].queries,
        gallery=scores.per_repeat[0].gallery,
        unmatched=unmatched_queries(looks[0].assessment),
        runs=tuple(tested),
        pairs=pair_runs(assessed),
        figures=figures,
        ranks=ranks,
        map=section,
        remarks=tuple(dict.fromkeys(remarks)),
    )


def _score_figures(runs: Sequence[TestedRun], data: str) -> dict[str, Drawn]:
    """Draw CMC curves, and ROC, DET and histograms of the runs that could be verified."""
    scores = {run.name: run.scores for run in runs}
    figures = {"cmc": Drawn(cmc_figure(scores, data=data, ranks=_RANKS), cmc_alt(scores, data))}
    verified = {run.name: run.verification for run in runs if run.verification is not None}
    if verified:
        figures |= {kind: draw_verification(kind, verified, data) for kind in PAIR_FIGURES}
    return figures


def _look_figure(rows: Sequence[MapRow], data: ReportData, pictures: Pictures) -> dict[str, Drawn]:
    """Lay the activation maps of all runs over the same images; nothing where there are no maps."""
    if not rows:
        return {}
    selection, name = data.looked_at, data.test_set.name
    shown = [pictures.read(row, _LONGEST_SIDE) for row in selection.rows]
    captions = [selection.identities[group] for group in selection.groups]
    alt = activation_alt(captions, rows, name)
    return {"activation": Drawn(activation_figure(shown, captions, rows, data=name), alt)}
