"""Rows of metrics and scores as the flat tables that trackers take."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from promptreid.text.safe import visible

# Settings that stand among the scores, and what is a part of another number.
_NOT_SCORES = frozenset({"rerank", "query_expansion", "per_repeat", "without_match_reasons"})


def epoch_values(row: Mapping[str, Any]) -> dict[str, float]:
    """Name the numbers of one row of `metrics.csv` for a tracker; empty cells are left out.

    They are `STAGE/loss`, `STAGE/lr`, ... and `validation/mAP`, ... : losses of different stages
    are different things, validation scores are one curve over the whole run.
    """
    values: dict[str, float] = {}
    for key, value in row.items():
        number = _number(value)
        if number is not None:
            part = "validation" if key.startswith("val_") else row["stage"]
            values[f"{part}/{key.removeprefix('val_')}"] = number
    return values


def score_values(results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Name the numbers of `scores.json`, one mapping per test set, for a tracker.

    They are `scores/mAP`, `scores/rank1`, `scores/std/mAP`, ...; with several test sets
    `scores/NAME/mAP`, a repeated name numbered from its second use on. Curves are left out.
    """
    values: dict[str, float] = {}
    for name, result in zip(name_test_sets(results), results, strict=True):
        prefix = f"scores/{name}" if name else "scores"
        values.update(_numbers(_select_scores(result), prefix))
    return values


def name_test_sets(results: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Name test sets for a tracker: by reader, numbered from a name's second use on.

    The name of a single test set is empty.
    """
    if len(results) < 2:
        return ("",) * len(results)
    used: dict[str, int] = {}
    names = []
    for result in results:
        name = visible(str(result.get("data", "test")).partition(":")[0])
        used[name] = used.get(name, 0) + 1
        names.append(name if used[name] == 1 else f"{name}-{used[name]}")
    return tuple(names)


def _select_scores(result: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out settings, and what is known already or is of many numbers."""
    scores = {key: value for key, value in result.items() if key not in _NOT_SCORES}
    if result.get("repeats", 1) == 1:  # one repeat has no spread: zeros would look like certainty
        scores.pop("std", None)
    if isinstance(control := scores.get("word_control"), Mapping):  # one number a kind of word
        kinds = ("own", "permuted", "none")
        scores["word_control"] = {kind: {"mAP": control[kind]["mAP"]} for kind in kinds}
    return scores


def _numbers(tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    for key, value in tree.items():
        if key == "cmc":
            yield from _numbers({f"rank{rank}": share for rank, share in value.items()}, prefix)
        elif isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}/{key}")
        elif (number := _number(value)) is not None:
            yield f"{prefix}/{key}", number


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None
