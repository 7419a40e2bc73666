"""By which rules scores were made, and what to say where runs were not scored alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from promptreid.data.data_spec import parse_spec
from promptreid.sweeps.comparison_rows import ComparisonRow
from promptreid.sweeps.run_results import RunRecord
from promptreid.text.lists import shorten_list

_RULES = {
    "protocol": "protocol",
    "ap": "definition of AP",
    "repeats": "draws",
    "queries": "queries",
    "gallery": "gallery images",
    "same_camera": "same-camera rule",
    "flip": "flip averaging",
    "sentences": "sentences in the similarity",
    "query_expansion": "query expansion",
    "rerank": "re-ranking",
    "images": "fingerprint of the data",
}


def scoring_rules(result: Mapping[str, Any], record: RunRecord) -> dict[str, Any]:
    """Give what results of `scores.json` of two runs must share to be compared."""
    rules = {key: result.get(key) for key in _RULES if key != "images"}
    rules["flip"] = bool(rules["flip"])
    rules["images"] = dict(record.data + record.test).get(result.get("data", ""))
    return rules


def rule_warnings(rows: Sequence[ComparisonRow], trained: Sequence[RunRecord]) -> list[str]:
    """Say in sentences which scores of the rows do not compare, and why.

    Args:
        rows: Rows of a comparison.
        trained: One run of each group of equal settings.
    """
    by_data: dict[str, list[ComparisonRow]] = {}
    for row in rows:
        by_data.setdefault(row.data, []).append(row)
    warnings = []
    if len(by_data) > 1 and any(len(group) < len(trained) for group in by_data.values()):
        warnings.append(
            "The runs were scored on different data; only rows of the same data compare."
        )
    elif len({record.data for record in trained}) > 1:
        warnings.append(
            "The runs were trained on different data, or on data that changed in between."
        )
    names = shorten_specs(list(by_data))
    for data, group in by_data.items():
        for key, rule in _RULES.items():
            sides: dict[str, list[str]] = {}
            for row in group:
                sides.setdefault(_rule_text(row.rules[key]), []).append(row.name)
            if len(sides) > 1:
                words = "; ".join(f"{value} in {shorten_list(who)}" for value, who in sides.items())
                warnings.append(f"Scores on {names[data]} differ in {rule}: {words}.")
    return warnings


def shorten_specs(specs: Sequence[str]) -> dict[str, str]:
    """Shorten data specs as far as they stay distinct: name, then folder and options, then all."""
    parsed = [parse_spec(spec) for spec in specs]
    short = [one.name for one in parsed]
    options = ["&".join(f"{key}={value}" for key, value in one.options.items()) for one in parsed]
    wide = [
        f"{one.name}:{PurePath(one.root).name}" + (f"?{text}" if text else "")
        for one, text in zip(parsed, options, strict=True)
    ]
    for names in (short, wide):
        if len(set(names)) == len(specs):
            return dict(zip(specs, names, strict=True))
    return {spec: spec for spec in specs}


def _rule_text(value: Any) -> str:
    """Write the value of a rule in a sentence."""
    if value is None or value is False:
        return "none"
    if value is True:
        return "on"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return str(value)
