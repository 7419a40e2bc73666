"""Numbers and lists as a reader wants them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Any

from promptreid.evaluation.ranking.scores import Scores
from promptreid.evaluation.uncertainty.intervals import Interval
from promptreid.figures.verification_figures import told_threshold

NONE = "–"
_SPACE = "\N{NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"


def number(value: float | None, digits: int = 1) -> str:
    """Write a fraction of 1 in percent, without the sign; a dash where there is none."""
    if value is None or math.isnan(value):
        return NONE
    return f"{100 * value:.{digits}f}".replace("-", _MINUS)


def percent(value: float | None, digits: int = 1) -> str:
    """Write a fraction of 1 in percent."""
    told = number(value, digits)
    return told if told == NONE else f"{told}{_SPACE}%"


def rate(value: float) -> str:
    """Write a false accept rate in percent with as many digits as it has."""
    return f"{100 * value:.6g}{_SPACE}%" if value >= 1e-6 else f"{100 * value:g}{_SPACE}%"


def points(value: float | None, digits: int = 1) -> str:
    """Write a difference of two fractions in percentage points, with its sign."""
    if value is None or math.isnan(value):
        return NONE
    told = f"{100 * value:+.{digits}f}"
    return told[1:] if float(told) == 0 else told.replace("-", _MINUS)


def span(low: float, high: float, *, signed: bool = False, digits: int = 1) -> str:
    """Write the ends of an interval of fractions in percent."""
    if math.isnan(low) or math.isnan(high):
        return NONE
    told = points if signed else number
    return f"{told(low, digits)} to {told(high, digits)}"


def interval(found: Interval, level: float = 0.95) -> str:
    """Write a score and its interval in a sentence."""
    told = span(found.low, found.high)
    if told == NONE:
        return percent(found.value)
    return f"{percent(found.value)} ({100 * level:g}{_SPACE}% interval {told})"


def score_name(name: str) -> str:
    """Name a score for people: "TAR@FAR=0.001" is the true accept rate at FAR 0.1 %."""
    kind, equals, far = name.partition("@FAR=")
    if equals:
        return f"{kind} at FAR {rate(float(far))}"
    kind, line, definition = name.partition("_")
    return f"{kind} ({definition})" if line else kind


_MEANINGS = MappingProxyType(
    {
        "mAP": "Mean average precision: 100 % if all photos of the right identity come first.",
        "rank-1": "Share of the queries whose closest photo shows the right identity.",
        "rank-k": "Share of the queries with the right identity among the closest k photos.",
        "mINP": "How early the hardest photo of the right identity comes.",
        "EER": "Error rate where false accepts equal false rejects; smaller is better.",
        "AUC": "Chance that two photos of one identity score more than two of different ones.",
        "TAR": "Share of the pairs of one identity accepted, when so few strangers are.",
        "TPIR": "Share of the enrolled who are found, when so few strangers get a name.",
        "FAR": "Share of the pairs of different identities that are accepted.",
    }
)


def meaning(name: str) -> str:
    """Say in one sentence what a score tells, by its name or its name for people."""
    kind = name.split("@")[0].split(" ")[0].split("_")[0]
    if kind.startswith("rank-") and kind != "rank-1":
        kind = "rank-k"
    return _MEANINGS.get(kind, "")


def count(value: int) -> str:
    """Write a whole number with its thousands apart."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def plural(value: int, one: str, several: str = "") -> str:
    """Write a number of things."""
    return f"{count(value)} {one if value == 1 else several or one + 's'}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Join words as in a sentence."""
    return f" {last} ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def cosine(value: float) -> str:
    """Write a similarity with as many digits as tell it from 1."""
    return told_threshold(value).replace("-", _MINUS)


def seconds(value: float) -> str:
    """Write a duration."""
    if value < 60:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def size(value: int) -> str:
    """Write a number of parameters in millions where there are that many."""
    return f"{value / 1e6:.1f} million" if value >= 1e6 else count(value)


def setting(value: Any) -> str:
    """Write a value of a recipe on one line."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def group_name(attribute: str, value: str) -> str:
    """Name a group in a sentence, where a bare number would say nothing: "camera 3"."""
    return f"{attribute} {value}" if value[:1].isdigit() else value


def applied(scores: Scores) -> str:
    """Say what was done to embeddings before they were ranked; nothing if nothing was."""
    done: Iterable[str] = (
        "averaged with mirror images" if scores.flip else "",
        "" if scores.sentences is None else f"sentences with a share of {scores.sentences.share:g}",
        "" if scores.expansion is None else "query expansion",
        "" if scores.rerank is None else "re-ranked",
        "" if scores.multi_query is None else f"queries joined by {scores.multi_query}",
    )
    return ", ".join(word for word in done if word)
