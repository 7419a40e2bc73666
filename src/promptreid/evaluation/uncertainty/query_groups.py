"""How each query fared, by the group it belongs to: what breakdowns are made of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import chain, pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from promptreid.data.manifest.manifest import Manifest
from promptreid.data.manifest.name_order import sort_names
from promptreid.data.protocol import Protocol
from promptreid.errors import EvaluationError, unknown_name
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.matching import MatchTable
from promptreid.evaluation.ranking.scores import QueryResult, Scores
from promptreid.evaluation.ranking.scoring import evaluate
from promptreid.evaluation.retrieval_settings import RetrievalSettings
from promptreid.evaluation.verification.accepted_pairs import AcceptedPairs, count_accepted
from promptreid.evaluation.verification.verification import Verification

COLUMNS = ("camera", "view", "domain")
MOST_VALUES = 12
"""Attributes that are numbers with more values than this are put into bands."""

BANDS = 4

PAIR = "-pair"
"""Ending of the name of an attribute that groups by query value and gallery value."""

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, eq=False)
class Outcomes:
    """How each query of one repeat fared.

    Attributes:
        groups: Q group names, empty where the attribute is missing.
        identities: Q names.
        rows: Q rows of the protocol's numbering: a query that several repeats draw has one row.
        matched: (Q,) whether the query has a match; the next two count only there.
        precision: (Q,) float64 average precision, by the definition of the protocol.
        first: (Q,) float64, 1 where the first image of the ranking is a match.
        true: (Q,) number of genuine pairs that the threshold accepts.
        genuine: (Q,) number of genuine pairs.
        false: (Q,) number of impostor pairs that the threshold accepts.
        impostors: (Q,) number of impostor pairs.
    """

    groups: tuple[str, ...]
    identities: tuple[str, ...]
    rows: tuple[int, ...]
    matched: Tensor
    precision: Tensor
    first: Tensor
    true: Tensor
    genuine: Tensor
    false: Tensor
    impostors: Tensor


def column_values(manifest: Manifest, column: str) -> tuple[str, ...]:
    """Give what a manifest says of each image as text, empty where it says nothing.

    Args:
        manifest: The images.
        column: "camera", "view", "domain", or an attribute. Whole numbers of an attribute with
            more than 12 values are put into four bands of about as many images each, such as
            "21 to 25".

    Raises:
        EvaluationError: There is no such column, or nothing is known in it.
    """
    fixed = {"camera": manifest.cameras, "view": manifest.views, "domain": manifest.domains}
    known = {**manifest.attributes, **fixed}
    if column not in known:
        raise EvaluationError(unknown_name(f"attribute of {manifest.name}", column, known))
    values = tuple("" if value is None else str(value) for value in known[column])
    if not any(values):
        raise EvaluationError(f"No image of {manifest.name} has a value of {column!r}.")
    return values if column in COLUMNS else _put_into_bands(values)


def query_outcomes(
    values: Sequence[str],
    protocol: Protocol,
    scores: Scores,
    verification: Verification,
    accepted: Sequence[AcceptedPairs],
    far: float,
) -> tuple[Outcomes, ...]:
    """Group the queries by what is known of each.

    Args:
        values: A value for each row that the protocol numbers.
        protocol: The protocol that was scored.
        scores: Scores that hold the outcome of each query.
        verification: Gives the threshold for `far`, which is that of all queries together.
        accepted: For each repeat, pairs accepted by query at the verification's thresholds.
        far: A rate that every repeat can measure.

    Raises:
        EvaluationError: Queries were joined, so that they are no images of the manifest.
    """
    if scores.settings.multi_query is not None:
        raise EvaluationError(
            "Joined queries are no single images, so they have no attributes to be grouped by. "
            "Score single queries for breakdowns."
        )
    outcomes = []
    for repeat, result, table, checked in zip(
        protocol.repeats, scores.results, accepted, verification.per_repeat, strict=True
    ):
        threshold = checked.point(far).threshold
        groups = tuple(values[row] for row in repeat.query)
        rows = tuple(repeat.query.tolist())
        outcomes.append(_gather_outcomes(groups, rows, result, table, threshold))
    return tuple(outcomes)


def pair_outcomes(
    values: Sequence[str],
    embeddings: Embeddings,
    protocol: Protocol,
    verification: Verification,
    *,
    ap: str,
    far: float,
) -> tuple[Outcomes, ...]:
    """Search for each value's queries among the gallery images of each value, such as cameras.

    A group is "query value > gallery value", with the gallery of that value alone and without
    re-ranking or expansion. Pairs in which no query has a match are left out.

    Args:
        values: A value for each row that the protocol numbers.
        embeddings: A row for each of them.
        protocol: Gives query and gallery rows.
        verification: Gives the camera rule, and the threshold for `far`.
        ap: Definition of average precision.
        far: A rate that every repeat can measure.
    """
    rule = verification.same_camera
    outcomes = []
    for repeat, checked in zip(protocol.repeats, verification.per_repeat, strict=True):
        threshold = checked.point(far).threshold
        scored = [
            _score_pair(embeddings, query, gallery, name, rule, ap, threshold)
            for query, gallery, name in _pair_values(values, repeat.query, repeat.gallery)
        ]
        outcomes.append(_join_outcomes([part for part in scored if part is not None]))
    return tuple(outcomes)


def measured_rate(verification: Verification, wanted: float = 1e-3) -> float:
    """Give the rate nearest to the wanted one that every repeat can measure, never a smaller one.

    Raises:
        EvaluationError: No rate can be measured.
    """
    measured = [far for far in verification.fars if verification.tar(far) is not None]
    if not measured:
        raise EvaluationError(
            "There are too few pairs of different identities for any of the false accept rates "
            f"{', '.join(f'{far:g}' for far in verification.fars)}. Give larger rates."
        )
    return min((far for far in measured if far >= wanted), default=max(measured))


def _put_into_bands(values: tuple[str, ...]) -> tuple[str, ...]:
    """Put whole numbers of many values into bands; anything else stays."""
    known = [value for value in values if value]
    if len(set(known)) <= MOST_VALUES or not all(map(_WHOLE_NUMBER.fullmatch, known)):
        return values
    numbers = np.array([int(value) for value in known])
    upper = np.unique(np.quantile(numbers, np.arange(1, BANDS + 1) / BANDS, method="lower"))
    distinct = np.unique(numbers)
    names = []
    for below, last in pairwise((distinct[0] - 1, *upper)):
        first = distinct[distinct > below][0]
        names.append(f"{first} to {last}" if first != last else str(first))
    return tuple(names[int(np.searchsorted(upper, int(v)))] if v else "" for v in values)


def _gather_outcomes(
    groups: tuple[str, ...],
    rows: tuple[int, ...],
    result: QueryResult,
    table: AcceptedPairs,
    threshold: float | None,
) -> Outcomes:
    column = int(torch.searchsorted(table.thresholds, torch.tensor([threshold]))[0])
    return Outcomes(
        groups=groups,
        identities=result.identities,
        rows=rows,
        matched=result.matches > 0,
        precision=result.values["mAP"],
        first=result.values["rank-1"].nan_to_num(nan=0.0),
        true=table.true[:, column],
        genuine=table.genuine,
        false=table.false[:, column],
        impostors=table.impostors,
    )


def _pair_values(
    values: Sequence[str], query: np.ndarray, gallery: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray, str]]:
    """Return the query rows and gallery rows of each pair of values, and its name."""
    sides = []
    for rows in (query, gallery):
        names = np.array([values[row] for row in rows])
        sides.append({name: rows[names == name] for name in sort_names(set(names.tolist()) - {""})})
    return [
        (first, second, f"{one} > {other}")
        for one, first in sides[0].items()
        for other, second in sides[1].items()
    ]


def _score_pair(
    embeddings: Embeddings,
    query_rows: np.ndarray,
    gallery_rows: np.ndarray,
    name: str,
    rule: str,
    ap: str,
    threshold: float | None,
) -> Outcomes | None:
    """Score one pair of values; None if no query has a match."""
    query, gallery = embeddings.select(query_rows), embeddings.select(gallery_rows)
    table = MatchTable(query, gallery, exclude_camera=rule == "exclude")
    if threshold is None or not bool(table.block(slice(0, len(query))).match.any()):
        return None
    (result,) = evaluate(query, gallery, RetrievalSettings(same_camera=rule), ap=ap).results
    accepted = count_accepted(query, gallery, [threshold], same_camera=rule)
    rows = tuple(query_rows.tolist())
    return _gather_outcomes((name,) * len(query), rows, result, accepted, threshold)


def _join_outcomes(parts: list[Outcomes]) -> Outcomes:
    """Join the outcomes of several pairs of values."""
    if not parts:
        raise EvaluationError(
            "No query has a match in a gallery of one value alone, so there is nothing to compare."
        )
    columns: dict[str, Any] = {}
    for field in fields(Outcomes):
        values = [getattr(part, field.name) for part in parts]
        whole = torch.cat(values) if isinstance(values[0], Tensor) else tuple(chain(*values))
        columns[field.name] = whole
    return Outcomes(**columns)
