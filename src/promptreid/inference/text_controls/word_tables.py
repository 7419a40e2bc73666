"""Tell what exchanged words do to scores, as a verdict in words and as a plain table."""

from __future__ import annotations

import textwrap

from promptreid.evaluation.metrics import separate_metrics
from promptreid.evaluation.uncertainty.intervals import Difference
from promptreid.inference.text_controls.word_control import WordControl
from promptreid.text.tables import plain_table


def word_verdict(control: WordControl) -> str:
    """Say whether own words beat those of other images, and having none."""
    permuted, none = control.over_permuted["mAP"], control.over_none["mAP"]
    if permuted.low > 0:
        first = f"Own words beat permuted ones by {_told(permuted, control.level)}."
    elif permuted.high < 0:
        first = f"Permuted words beat own ones by {_told(_turned(permuted), control.level)}."
    else:
        told = _told(permuted, control.level)
        first = f"The words make no difference here: own words beat permuted ones by {told}."
    if none.low > 0:
        second = f"They beat a sentence without a word by {_told(none, control.level)}."
    elif none.high < 0:
        told = _told(_turned(none), control.level)
        second = f"A sentence without a word beats own words by {told}."
    else:
        told = _told(none, control.level)
        second = f"Own words and none do not differ for certain: {told}."
    few = f" With {control.identities} identities, intervals say little." if control.few else ""
    return f"{first} {second}{few}"


def render_words(control: WordControl) -> str:
    """Lay out scores with own, permuted and no words in percent, differences, and the verdict.

    Returns:
        Several lines without a line break at the end.
    """
    metrics = [metric for metric in separate_metrics() if metric.name in control.own]
    rows = [["words", *(metric.heading for metric in metrics)]]
    for name, scores in (
        ("own", control.own),
        (f"permuted ({control.draws} draws)", control.permuted),
        ("none", control.none),
    ):
        rows.append([name, *(metric.text(scores[metric.name]) for metric in metrics)])
    for name, differences in (
        ("own - permuted", control.over_permuted),
        ("own - none", control.over_none),
    ):
        changes = ((metric, differences[metric.name].value) for metric in metrics)
        rows.append([name, *(metric.text(change, sign=True) for metric, change in changes)])
    table = plain_table(rows, right=[False, *(True for _ in metrics)])
    verdict = textwrap.wrap(word_verdict(control), 79)
    return "\n".join(["Do the words matter? Percent.", *table, *verdict])


def _told(difference: Difference, level: float) -> str:
    value, low, high = (100 * end for end in (difference.value, difference.low, difference.high))
    return f"{value:.2f} points of mAP ({100 * level:g} % interval {low:.2f} to {high:.2f})"


def _turned(difference: Difference) -> Difference:
    """Take the second from the first."""
    return Difference(
        -difference.value, -difference.high, -difference.low, 1 - difference.above_zero
    )
