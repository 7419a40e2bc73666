"""The scores that can be compared, as `scores.json` holds them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

METRICS: Mapping[str, str] = MappingProxyType(
    {
        "mAP": "mAP",
        "mAP_step": "mAP(step)",
        "mAP_trapezoid": "mAP(trap.)",
        "mINP": "mINP",
        "rank1": "R1",
        "rank5": "R5",
        "rank10": "R10",
        "rank20": "R20",
    }
)
"""Name of each metric and the heading of its column."""

DEFAULT_METRICS = ("mAP", "rank1", "rank5")


def metric_value(result: Mapping[str, Any], metric: str) -> tuple[float, float]:
    """Give mean and standard deviation over the repeats of the protocol, as fractions of 1.

    Args:
        result: A result of `scores.json`.
        metric: A name out of `METRICS`.
    """
    if metric.startswith("rank"):
        rank = metric.removeprefix("rank")
        return result["cmc"][rank], result["std"]["cmc"][rank]
    return result[metric], result["std"][metric]
