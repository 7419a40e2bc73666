"""What scores, settings, groups and rank lists are called on a page, and what they mean."""

from __future__ import annotations

import json
from typing import Any

from promptreid.evaluation.metrics import score_kind
from promptreid.evaluation.ranking.scores import Scores
from promptreid.pages.content import RankSection
from promptreid.text.number_words import rate

_QUERIES = {
    "worst": "Worst queries",
    "median": "Queries around the median",
    "best": "Best queries",
}


def score_name(name: str) -> str:
    """Name a score for people: "TAR@FAR=0.001" is the true accept rate at FAR 0.1 %."""
    kind, equals, far = name.partition("@FAR=")
    if equals:
        return f"{kind} at FAR {rate(float(far))}"
    kind, line, definition = name.partition("_")
    return f"{kind} ({definition})" if line else kind


def meaning(name: str) -> str:
    """Say in one sentence what a score tells, by its name or its name for people."""
    return score_kind(name.replace(" (", "_").removesuffix(")")).meaning


def setting(value: Any) -> str:
    """Write a value of a recipe on one line."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def group_name(value: str, attribute: str) -> str:
    """Name a group in a sentence, where a bare number would say nothing: "camera 3"."""
    return f"{attribute} {value}" if value[:1].isdigit() else value


def section_title(section: RankSection) -> str:
    """Name rank lists, and where there are several runs the first one, whose median it is."""
    runs = list(section.queries[0].lists)
    named = section.which == "median" and len(runs) > 1
    return f"{_QUERIES[section.which]} of {runs[0]}" if named else _QUERIES[section.which]


def applied(scores: Scores) -> str:
    """Say what was done to embeddings before they were ranked; nothing if nothing was."""
    share = "" if scores.sentences is None else f"{scores.sentences.share:g}"
    steps = {
        "averaged with mirror images": scores.settings.flip,
        f"sentences with a share of {share}": scores.sentences,
        "query expansion": scores.settings.expansion,
        "re-ranked": scores.settings.rerank,
        f"queries joined by {scores.settings.multi_query}": scores.settings.multi_query,
    }
    return ", ".join(words for words, done in steps.items() if done)
