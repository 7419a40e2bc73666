"""Figures of the scores of runs that have embedded the test images of a data set."""

from __future__ import annotations

from collections.abc import Mapping

from promptreid.evaluation.assessment import Assessment
from promptreid.evaluation.verification.verification import Verification
from promptreid.figures.cmc import cmc_alt, cmc_figure
from promptreid.figures.drawn import Drawn
from promptreid.figures.histogram import histogram_alt, histogram_figure
from promptreid.figures.photographs import Picture, read_picture
from promptreid.figures.rank_lists import choose_queries
from promptreid.figures.ranks_figure import ranks_alt, ranks_figure
from promptreid.figures.shown_queries import gallery_rows, show_queries
from promptreid.figures.style import LIGHT, Theme
from promptreid.figures.verification_figures import det_figure, roc_figure, verification_alt

PAIR_FIGURES = ("roc", "det", "histogram")
"""Figures of the cosines of all pairs of query and gallery."""

_LONGEST_SIDE = 200


def draw_cmc(assessed: Mapping[str, Assessment], *, ranks: int = 20, theme: Theme = LIGHT) -> Drawn:
    """Draw the CMC curve, at most 50 ranks long, of runs that have been assessed on one test set.

    Raises:
        ConfigError: Matplotlib is missing, or there are too many runs.
        EvaluationError: No query has a match.
    """
    scores = {run: assessment.scores for run, assessment in assessed.items()}
    name = _data_name(assessed)
    return Drawn(cmc_figure(scores, data=name, ranks=ranks, theme=theme), cmc_alt(scores, name))


def draw_pairs(kind: str, assessed: Mapping[str, Assessment], *, theme: Theme = LIGHT) -> Drawn:
    """Verify all pairs of query and gallery by cosine, and draw one of `PAIR_FIGURES` of them.

    Raises:
        ConfigError: Matplotlib is missing, or there are too many runs.
        EvaluationError: There is no genuine or no impostor pair.
    """
    verified = {run: assessment.verification for run, assessment in assessed.items()}
    return draw_verification(kind, verified, _data_name(assessed), theme=theme)


def draw_verification(
    kind: str, verified: Mapping[str, Verification], data: str, *, theme: Theme = LIGHT
) -> Drawn:
    """Draw one of `PAIR_FIGURES` of pairs that are verified already, by name of the run.

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
    assessed: Mapping[str, Assessment],
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
        assessed: Assessments of one test set by name of the run, at least one.
        which: Choice of queries, see `choose_queries`.
        queries: How many, the same for all runs.
        top: Length of the lists.
        seed: Draws random queries, and those among equals.
        pixelate: Show all pictures as coarse mosaics.
        theme: Light or dark.

    Raises:
        ConfigError: Matplotlib is missing, or there is no such choice.
        EvaluationError: No query has a match.
        UnreadableImage: An image cannot be decoded.
    """
    assessed = {run: assessment.first_repeat() for run, assessment in assessed.items()}
    first = next(iter(assessed.values()))
    results = [assessment.scores.results[0] for assessment in assessed.values()]
    chosen = choose_queries(results, which, queries, seed=seed)

    def picture(row: int) -> Picture:
        image = first.test_set.manifest.image(row)
        return read_picture(image, longest=_LONGEST_SIDE, pixelate=pixelate)

    shown = show_queries(assessed, chosen, top=top, picture=picture)
    rows = gallery_rows(shown, first.test_set)
    excluded = first.camera_rule == "exclude"
    cameras = "Images of the query's identity and camera are left out." if excluded else ""
    note = f"{first.test_set.name}; numbers are cosines. {cameras}".strip()
    return Drawn(
        ranks_figure(
            shown, {hit: picture(row) for hit, row in rows.items()}, top=top, note=note, theme=theme
        ),
        f"{ranks_alt(shown, first.test_set.name, which=which, top=top)} {note}".strip(),
    )


def _data_name(assessed: Mapping[str, Assessment]) -> str:
    return next(iter(assessed.values())).test_set.name
