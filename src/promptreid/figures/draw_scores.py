"""Figures of the scores of runs that have embedded the test images of a data set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from promptreid.evaluation.ranking.scoring_rules import protocol_rule
from promptreid.evaluation.verification.verification import Verification, verify_protocol
from promptreid.figures.cmc import cmc_alt, cmc_figure
from promptreid.figures.drawn import Drawn
from promptreid.figures.histogram import histogram_alt, histogram_figure
from promptreid.figures.photographs import Picture, read_picture
from promptreid.figures.rank_lists import choose_queries
from promptreid.figures.ranks_figure import ranks_alt, ranks_figure
from promptreid.figures.shown_queries import first_repeat, gallery_rows, show_queries
from promptreid.figures.style import LIGHT, Theme
from promptreid.figures.verification_figures import det_figure, roc_figure, verification_alt
from promptreid.inference.trial import Trial, TrialRun

PAIR_FIGURES = ("roc", "det", "histogram")
"""Figures of the cosines of all pairs of query and gallery."""

_LONGEST_SIDE = 200


def draw_cmc(
    runs: Iterable[TrialRun], trial: Trial, *, ranks: int = 20, theme: Theme = LIGHT
) -> Drawn:
    """Draw the CMC curve of each run by the data set's protocol and the run's recipe.

    Args:
        runs: Embeddings of the test images, as `promptreid.inference.trial.trial_runs` gives them.
        trial: The test images.
        ranks: Length of the curves, at most 50.
        theme: Light or dark.

    Raises:
        ConfigError: Matplotlib is missing, or there are too many runs.
        EvaluationError: No query has a match.
    """
    scores = {run.name: run.scores(trial.protocol) for run in runs}
    name = trial.manifest.name
    return Drawn(cmc_figure(scores, data=name, ranks=ranks, theme=theme), cmc_alt(scores, name))


def draw_pairs(kind: str, runs: Iterable[TrialRun], trial: Trial, *, theme: Theme = LIGHT) -> Drawn:
    """Verify all pairs of query and gallery by cosine, and draw the rates or scores of each run.

    Args:
        kind: One of `PAIR_FIGURES`.
        runs: Embeddings of the test images, as `promptreid.inference.trial.trial_runs` gives them.
        trial: The test images.
        theme: Light or dark.

    Raises:
        ConfigError: Matplotlib is missing, or there are too many runs.
        EvaluationError: There is no genuine or no impostor pair.
    """
    verified = {run.name: verify_protocol(run.embeddings, trial.protocol) for run in runs}
    return draw_verification(kind, verified, trial.manifest.name, theme=theme)


def draw_verification(
    kind: str, verified: Mapping[str, Verification], data: str, *, theme: Theme = LIGHT
) -> Drawn:
    """Draw ROC curves, DET curves or histograms of pairs that are verified already.

    Args:
        kind: One of `PAIR_FIGURES`.
        verified: Verification by name of the run, at least one.
        data: Name of the data set.
        theme: Light or dark.

    Raises:
        ConfigError: Matplotlib is missing, or there are too many runs.
    """
    if kind == "histogram":
        figure = histogram_figure(verified, data=data, theme=theme)
        return Drawn(figure, histogram_alt(verified, data))
    draw = {"roc": roc_figure, "det": det_figure}[kind]
    alt = verification_alt(verified, data, f"{kind.upper()} curves")
    return Drawn(draw(verified, data=data, theme=theme), alt)


def draw_ranks(
    runs: Iterable[TrialRun],
    trial: Trial,
    *,
    which: str = "worst",
    queries: int = 6,
    top: int = 10,
    seed: int = 0,
    pixelate: bool = False,
    theme: Theme = LIGHT,
) -> Drawn:
    """Show queries of the first repeat and the gallery images that each run puts first.

    Args:
        runs: Embeddings of the test images, at least of one run. All show the same queries.
        trial: The test images.
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
    runs, trial = tuple(runs), first_repeat(trial)
    results = [run.scores(trial.protocol).results[0] for run in runs]
    chosen = choose_queries(results, which, queries, ap=trial.protocol.ap, seed=seed)

    def picture(row: int) -> Picture:
        return read_picture(trial.manifest.image(row), longest=_LONGEST_SIDE, pixelate=pixelate)

    shown = show_queries(runs, results, trial, chosen, top=top, picture=picture)
    gallery = {row: picture(image) for row, image in gallery_rows(shown, trial).items()}
    note = f"{trial.manifest.name}; numbers are cosines. {_camera_note(runs, trial)}".strip()
    return Drawn(
        ranks_figure(shown, gallery, top=top, note=note, theme=theme),
        f"{ranks_alt(shown, trial.manifest.name, which=which, top=top)} {note}".strip(),
    )


def _camera_note(runs: Sequence[TrialRun], trial: Trial) -> str:
    rule, _ = protocol_rule(runs[0].embeddings, trial.protocol, None)
    return "Images of the query's identity and camera are left out." if rule == "exclude" else ""
