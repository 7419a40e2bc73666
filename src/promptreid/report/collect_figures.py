"""Figures of all runs on one data set."""

from __future__ import annotations

from collections.abc import Sequence

from promptreid.figures.activation.overlay import MapRow, activation_alt, activation_figure
from promptreid.figures.cmc import cmc_alt, cmc_figure
from promptreid.figures.draw_scores import PAIR_FIGURES, draw_verification
from promptreid.figures.drawn import Drawn
from promptreid.report.collect_data import Pictures, ReportData
from promptreid.report.content import TestedRun

_RANKS = 20
_LONGEST_SIDE = 240


def score_figures(runs: Sequence[TestedRun], data: str) -> dict[str, Drawn]:
    """Draw CMC curves, and ROC, DET and histograms of the runs that could be verified.

    Args:
        runs: Results of the runs, in the order of the report.
        data: Name of the data set.

    Raises:
        ConfigError: Matplotlib is missing, or there are too many runs.
    """
    scores = {run.name: run.scores for run in runs}
    figures = {"cmc": Drawn(cmc_figure(scores, data=data, ranks=_RANKS), cmc_alt(scores, data))}
    verified = {run.name: run.verification for run in runs if run.verification is not None}
    if verified:
        figures |= {kind: draw_verification(kind, verified, data) for kind in PAIR_FIGURES}
    return figures


def look_figure(rows: Sequence[MapRow], data: ReportData, pictures: Pictures) -> Drawn | None:
    """Lay the activation maps of all runs over the same images; None where there are no maps.

    Args:
        rows: Maps over the images that are looked at.
        data: Says which images.
        pictures: Pictures of the data set.

    Raises:
        ConfigError: Matplotlib is missing.
        UnreadableImage: An image cannot be decoded.
    """
    if not rows:
        return None
    selection = data.looked_at
    shown = [pictures.of(row, _LONGEST_SIDE) for row in selection.rows]
    captions = [selection.identities[group] for group in selection.groups]
    alt = activation_alt(captions, rows, data.test_set.name)
    return Drawn(activation_figure(shown, captions, rows, data=data.test_set.name), alt)
