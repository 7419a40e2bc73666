"""Tell what exchanged words do to scores, as a verdict in words and as a plain table."""

from __future__ import annotations

import textwrap

from promptreid.evaluation.metrics import separate_metrics
from promptreid.evaluation.uncertainty.intervals import Difference
from promptreid.inference.text_controls.word_control import WordControl
from promptreid.text.tables import plain_table


def word_verdict(control: WordControl) -> str:
    """Say whether own words beat those of other images, and having none."""
    permuted, none = control.own_minus_permuted["mAP"], control.own_minus_none["mAP"]
    if permuted.high < 0:
        first = "Permuted words beat own ones by"
    elif permuted.low > 0:
        first = "Own words beat permuted ones by"
    else:
        first = "The words make no difference here: own words beat permuted ones by"
    if none.high < 0:
        second = "A sentence without a word beats own words by"
    elif none.low > 0:
        second = "They beat a sentence without a word by"
    else:
        second = "Own words and none do not differ for certain:"
    sentences = [
        f"{start} {_write_points(change.turned() if change.high < 0 else change, control.level)}."
        for start, change in ((first, permuted), (second, none))
    ]
    few = f" With {control.identities} identities, intervals say little." if control.few else ""
    return " ".join(sentences) + few


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
        ("own - permuted", control.own_minus_permuted),
        ("own - none", control.own_minus_none),
    ):
        changes = ((metric, differences[metric.name].value) for metric in metrics)
        rows.append([name, *(metric.text(change, sign=True) for metric, change in changes)])
    table = plain_table(rows, right=[False, *(True for _ in metrics)])
    verdict = textwrap.wrap(word_verdict(control), 79)
    return "\n".join(["Do the words matter? Percent.", *table, *verdict])


def _write_points(difference: Difference, level: float) -> str:
    value, low, high = (100 * end for end in (difference.value, difference.low, difference.high))
    return f"{value:.2f} points of mAP ({100 * level:g} % interval {low:.2f} to {high:.2f})"
