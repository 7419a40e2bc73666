"""From runs and a data set to figures of scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from promptreid.data.dataset import DataSet
from promptreid.data.protocol import Protocol
from promptreid.evaluation.ranking.scores import Scores
from promptreid.evaluation.ranking.scoring_rules import protocol_rule
from promptreid.evaluation.verification.verification import Verification, verify_protocol
from promptreid.figures.cmc import cmc_alt, cmc_figure
from promptreid.figures.drawn import Drawn
from promptreid.figures.histogram import histogram_alt, histogram_figure
from promptreid.figures.photographs import Picture, read_picture
from promptreid.figures.rank_lists import RankList, choose_queries, rank_lists
from promptreid.figures.ranks_figure import ShownQuery, ranks_alt, ranks_figure
from promptreid.figures.style import LIGHT, Theme
from promptreid.figures.verification_figures import det_figure, roc_figure, verification_alt
from promptreid.inference.embed import Counter
from promptreid.inference.embedder import Embedder
from promptreid.inference.trial import Trial, TrialRun, trial_runs

_LONGEST_SIDE = 200


def draw_cmc(
    runs: Iterable[tuple[str, Embedder]],
    dataset: DataSet | str,
    *,
    ranks: int = 20,
    cache: Path | None = None,
    batch_size: int = 64,
    theme: Theme = LIGHT,
    progress: Counter | None = None,
) -> Drawn:
    """Draw the CMC curve of each run by the data set's protocol and the run's recipe.

    Args:
        runs: Names and models; they may be made one at a time, so that only one is in memory.
        dataset: A data set, or its spec.
        ranks: Length of the curves, at most 50.
        cache: Folder where embeddings are kept; None to keep none.
        batch_size: Images per forward pass.
        theme: Light or dark.
        progress: Where to report.

    Raises:
        ConfigError: Matplotlib is missing, or there are too many runs.
        EvaluationError: There is nothing to test on, or no query has a match.
    """
    trial = Trial.of(dataset)
    found = trial_runs(runs, trial, cache=cache, batch_size=batch_size, progress=progress)
    scores = {run.name: run.scores(trial.protocol) for run in found}
    return Drawn(
        cmc_figure(scores, data=trial.manifest.name, ranks=ranks, theme=theme),
        cmc_alt(scores, trial.manifest.name),
    )


def draw_roc(
    runs: Iterable[tuple[str, Embedder]],
    dataset: DataSet | str,
    *,
    cache: Path | None = None,
    batch_size: int = 64,
    theme: Theme = LIGHT,
    progress: Counter | None = None,
) -> Drawn:
    """Draw ROC curves of runs over all pairs of query and gallery, by cosine.

    Args:
        runs: Names and models, as above.
        dataset: A data set, or its spec.
        cache: Folder where embeddings are kept; None to keep none.
        batch_size: Images per forward pass.
        theme: Light or dark.
        progress: Where to report.

    Raises:
        ConfigError: Matplotlib is missing, or there are too many runs.
        EvaluationError: There is nothing to test on, or there is no genuine or no impostor pair.
    """
    trial = Trial.of(dataset)
    found = _verified(
        trial_runs(runs, trial, cache=cache, batch_size=batch_size, progress=progress), trial
    )
    alt = verification_alt(found, trial.manifest.name, "ROC curves")
    return Drawn(roc_figure(found, data=trial.manifest.name, theme=theme), alt)


def draw_det(
    runs: Iterable[tuple[str, Embedder]],
    dataset: DataSet | str,
    *,
    cache: Path | None = None,
    batch_size: int = 64,
    theme: Theme = LIGHT,
    progress: Counter | None = None,
) -> Drawn:
    """Draw DET curves of runs; arguments and errors as for `draw_roc`."""
    trial = Trial.of(dataset)
    found = _verified(
        trial_runs(runs, trial, cache=cache, batch_size=batch_size, progress=progress), trial
    )
    alt = verification_alt(found, trial.manifest.name, "DET curves")
    return Drawn(det_figure(found, data=trial.manifest.name, theme=theme), alt)


def draw_histogram(
    runs: Iterable[tuple[str, Embedder]],
    dataset: DataSet | str,
    *,
    cache: Path | None = None,
    batch_size: int = 64,
    theme: Theme = LIGHT,
    progress: Counter | None = None,
) -> Drawn:
    """Draw how genuine and impostor scores spread; arguments and errors as for `draw_roc`."""
    trial = Trial.of(dataset)
    found = _verified(
        trial_runs(runs, trial, cache=cache, batch_size=batch_size, progress=progress), trial
    )
    return Drawn(
        histogram_figure(found, data=trial.manifest.name, theme=theme),
        histogram_alt(found, trial.manifest.name),
    )


def draw_ranks(
    runs: Iterable[tuple[str, Embedder]],
    dataset: DataSet | str,
    *,
    which: str = "worst",
    queries: int = 6,
    top: int = 10,
    seed: int = 0,
    pixelate: bool = False,
    cache: Path | None = None,
    batch_size: int = 64,
    theme: Theme = LIGHT,
    progress: Counter | None = None,
) -> Drawn:
    """Show queries of the first repeat and the gallery images that each run puts first.

    Args:
        runs: Names and models, as above. All see the same queries.
        dataset: A data set, or its spec.
        which: Choice of queries, see `choose_queries`.
        queries: How many.
        top: Length of the lists.
        seed: Draws random queries, and those among equals.
        pixelate: Show all pictures as coarse mosaics.
        cache: Folder where embeddings are kept; None to keep none.
        batch_size: Images per forward pass.
        theme: Light or dark.
        progress: Where to report.

    Raises:
        ConfigError: Matplotlib is missing, or there is no such choice.
        EvaluationError: There is nothing to test on, or no query has a match.
        UnreadableImage: An image cannot be decoded.
    """
    trial = Trial.of(dataset)
    found = tuple(trial_runs(runs, trial, cache=cache, batch_size=batch_size, progress=progress))
    return drawn_ranks(
        found,
        trial,
        which=which,
        queries=queries,
        top=top,
        seed=seed,
        pixelate=pixelate,
        theme=theme,
    )


def drawn_ranks(
    found: Sequence[TrialRun],
    trial: Trial,
    *,
    which: str = "worst",
    queries: int = 6,
    top: int = 10,
    seed: int = 0,
    pixelate: bool = False,
    theme: Theme = LIGHT,
) -> Drawn:
    """Draw rank lists of runs that have embedded the images; as `draw_ranks` otherwise.

    Args:
        found: At least one run.
        trial: What was embedded.
        which: Choice of queries, see `choose_queries`.
        queries: How many.
        top: Length of the lists.
        seed: Draws random queries, and those among equals.
        pixelate: Show all pictures as coarse mosaics.
        theme: Light or dark.

    Raises:
        ConfigError: Matplotlib is missing, or there is no such choice.
        EvaluationError: No query has a match.
        UnreadableImage: An image cannot be decoded.
    """
    protocol = replace(trial.protocol, repeats=trial.protocol.repeats[:1])
    scores = {run.name: run.scores(protocol) for run in found}
    results = [own.results[0] for own in scores.values()]
    chosen = choose_queries(results, which, queries, ap=protocol.ap, seed=seed)
    lists = {run.name: _lists(run, protocol, chosen, top) for run in found}
    repeat, names, cameras = protocol.repeats[0], trial.identity_names(), trial.camera_names()

    def picture(row: int) -> Picture:
        return read_picture(trial.manifest.image(row), longest=_LONGEST_SIDE, pixelate=pixelate)

    shown = [
        ShownQuery(
            identity=names[int(repeat.query[query])],
            camera=cameras[int(repeat.query[query])],
            picture=picture(int(repeat.query[query])),
            lists={name: own[number] for name, own in lists.items()},
            precisions=_precisions(scores, protocol.ap, query),
        )
        for number, query in enumerate(chosen)
    ]
    needed = {hit.row for own in lists.values() for one in own for hit in (*one.hits, one.first)}
    gallery = {row: picture(int(repeat.gallery[row])) for row in sorted(needed)}
    note = f"{trial.manifest.name}; numbers are cosines. {_camera_note(found[0], protocol)}".strip()
    return Drawn(
        ranks_figure(shown, gallery, top=top, note=note, theme=theme),
        f"{ranks_alt(shown, trial.manifest.name, which=which, top=top)} {note}".strip(),
    )


def _verified(runs: Iterable[TrialRun], trial: Trial) -> dict[str, Verification]:
    return {run.name: verify_protocol(run.embeddings, trial.protocol) for run in runs}


def _lists(
    run: TrialRun, protocol: Protocol, chosen: tuple[int, ...], top: int
) -> tuple[RankList, ...]:
    repeat = protocol.repeats[0]
    rule, _ = protocol_rule(run.embeddings, protocol, None)
    return rank_lists(
        run.embeddings.select(repeat.query),
        run.embeddings.select(repeat.gallery),
        chosen,
        exclude_camera=rule == "exclude",
        settings=run.settings,
        top=top,
    )


def _precisions(scores: Mapping[str, Scores], ap: str, query: int) -> dict[str, float]:
    return {
        name: float(getattr(found.results[0], f"ap_{ap}")[query]) for name, found in scores.items()
    }


def _camera_note(run: TrialRun, protocol: Protocol) -> str:
    rule, _ = protocol_rule(run.embeddings, protocol, None)
    return "Images of the query's identity and camera are left out." if rule == "exclude" else ""
