"""Scores beyond ranking as plain text for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptreid.evaluation.metrics import score_kind
from promptreid.evaluation.verification.roc import RELIABLE
from promptreid.text.number_words import write_threshold
from promptreid.text.tables import plain_table

Values = Mapping[str, Any]


def render_further(values: Values) -> str:
    """Lay out what `Assessment.to_dict` gives beside the scores, in percent; maybe nothing."""
    parts = []
    if "verification" in values:
        parts.append(_lay_out_verification(values["verification"]))
    if "identification" in values:
        parts.append(_explain_identification(values["identification"]))
    if "intervals" in values:
        parts.append(_lay_out_intervals(values["intervals"]))
    parts += [_lay_out_breakdown(record) for record in values.get("breakdowns", ())]
    return "\n\n".join("\n".join(part) for part in parts)


def _lay_out_verification(values: Values) -> list[str]:
    first = values["per_repeat"][0]
    several = len(values["per_repeat"]) > 1
    repeats = f", mean of {values['repeats']} repeats" if several else ""
    each = " in the first repeat" if several else ""
    lines = [
        f"Verification by cosine{repeats}: EER {_percent(values['eer'])}, "
        f"AUC {_percent(values['auc'])}. {first['genuine']:,} pairs of one identity, "
        f"{first['impostors']:,} of different ones{each}."
    ]
    rows = [["FAR", "threshold", "TAR"]]
    for point in values["tar"]:
        if point["tar"] is not None:
            rows.append(
                [_rate(point["far"]), write_threshold(point["threshold"]), _percent(point["tar"])]
            )
    if len(rows) > 1:
        lines += plain_table(rows, right=[True, True, True])
    lost = [_rate(point["far"]) for point in values["tar"] if point["tar"] is None]
    if lost:
        fewest = min(repeat["impostors"] for repeat in values["per_repeat"])
        lines.append(
            f"FAR {', '.join(lost)} cannot be measured: that is less than one of {fewest:,} pairs."
        )
    unsure = [
        _rate(point["far"])
        for point in values["tar"]
        if point["tar"] is not None and not point["reliable"]
    ]
    if unsure:
        lines.append(
            f"FAR {', '.join(unsure)} rests on fewer than {RELIABLE} accepted pairs of different "
            "identities, so take it with care."
        )
    return [*lines, *_explain_stored_threshold(values.get("stored_threshold"))]


def _explain_stored_threshold(values: Values | None) -> list[str]:
    """Say what the threshold that came with the weights does on the test pairs."""
    if values is None:
        return []
    chosen = values["chosen"]
    where = f"{chosen['images']:,} {chosen['source']}" if chosen["source"] else "other images"
    line = (
        f"The model's own threshold {write_threshold(chosen['threshold'])} was chosen at FAR "
        f"{100 * chosen['far']:g} % on {chosen['pairs']:,} pairs of {where}. On these test pairs: "
        f"FAR {100 * values['far']:.3g} %, TAR {_percent(values['tar'])} %."
    )
    return [" ".join(filter(None, (line, values["note"])))]


def _explain_identification(values: Values) -> list[str]:
    first = values["per_repeat"][0]
    rates = [
        f"{_percent(point['tpir'])} at FPIR {_rate(point['fpir'])}"
        for point in values["tpir"]
        if point["tpir"] is not None
    ]
    lost = [_rate(point["fpir"]) for point in values["tpir"] if point["tpir"] is None]
    lines = [
        f"Open-set identification, TPIR at rank {values['rank']}: {', '.join(rates) or 'none'}. "
        f"{first['enrolled']:,} searches for who is enrolled, {first['searches']:,} for who is not "
        "(each query once without its identity in the gallery)."
    ]
    if lost:
        lines.append(f"FPIR {', '.join(lost)} cannot be measured on so few searches.")
    return lines


def _lay_out_intervals(values: Values) -> list[str]:
    level = f"{100 * values['level']:g} %"
    rows = [["score", "value", "low", "high"]]
    rows += [
        [name, *(score_kind(name).text(one[end]) for end in ("value", "low", "high"))]
        for name, one in values["scores"].items()
    ]
    lines = [
        f"{level} intervals: {values['resamples']:,} draws of {values['identities']:,} identities "
        "of the queries, gallery as it is.",
        *plain_table(rows, right=[False, True, True, True]),
    ]
    if values["few"]:
        lines.append("With so few identities the intervals say little.")
    return lines


def _lay_out_breakdown(values: Values) -> list[str]:
    rate = _rate(values["far"])
    rows = [[values["attribute"], "identities", "queries", "mAP", "rank-1", "TAR", "FAR", ""]]
    for group in values["groups"]:
        cells = [
            _write_interval(group["scores"].get(name), digits=4 if name == "FAR" else 2)
            for name in ("mAP", "rank-1", "TAR", "FAR")
        ]
        mark = "too few to say anything" if group["few"] else ""
        counts = [f"{group['identities']:,}", f"{group['queries']:,}"]
        rows.append([group["name"], *counts, *cells, mark])
    lines = [
        f"By {values['attribute']}, with {100 * values['level']:g} % intervals; TAR and FAR at the "
        f"threshold that gives all queries together FAR {rate}:",
        *plain_table(rows, right=[False, True, True, True, True, True, True, False]),
    ]
    if values["missing"]:
        lines.append(f"{values['missing']:,} queries without a value are left out.")
    for gap in values["gaps"]:
        digits = 4 if gap["score"] == "FAR" else 2
        numbers = [f"{100 * gap[end]:.{digits}f}" for end in ("value", "low", "high")]
        lines.append(
            f"Largest gap in {gap['score']}: {numbers[0]} [{numbers[1]}, {numbers[2]}] points "
            f"between {gap['best']} (best) and {gap['worst']} (worst)"
            + (", which may be chance." if gap["low"] <= 0 else ".")
        )
    if not values["gaps"]:
        lines.append("Fewer than two groups are large enough to compare.")
    return lines


def _write_interval(values: Values | None, *, digits: int) -> str:
    if values is None:
        return "-"
    value, low, high = (f"{100 * values[end]:.{digits}f}" for end in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


def _rate(value: float) -> str:
    return f"{value:g}"
