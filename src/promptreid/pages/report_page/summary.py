"""What a report says first, in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from promptreid.evaluation.uncertainty.breakdown import Gap, Group
from promptreid.evaluation.uncertainty.intervals import Difference, tar_name
from promptreid.evaluation.verification.verification import Verification
from promptreid.pages.content import Content, RunFacts, Test, TestedRun
from promptreid.pages.report_page.score_words import group_name, meaning
from promptreid.text.number_words import count, interval, percent, plural, rate, similarity, span

_FAR = 1e-3


@dataclass(frozen=True)
class KeyNumber:
    """A number in large type.

    Attributes:
        label: What it is.
        value: Written out.
        note: Its interval, or what it depends on.
        meaning: What it tells, in a sentence.
    """

    label: str
    value: str
    note: str
    meaning: str


@dataclass(frozen=True)
class Headline:
    """What there is to say of one data set.

    Attributes:
        test: Its number.
        data: Its name.
        best: The run that ranks best.
        verdict: All of it in one sentence.
        numbers: Key numbers of that run.
        sentences: Further sentences, in order of weight.
    """

    test: int
    data: str
    best: str
    verdict: str
    numbers: tuple[KeyNumber, ...]
    sentences: tuple[str, ...]


def summarise(content: Content) -> tuple[Headline, ...]:
    """Say the most important things about each data set."""
    facts = {run.name: run for run in content.runs}
    return tuple(_headline(number, test, facts) for number, test in enumerate(content.tests, 1))


def best_run(test: Test) -> TestedRun:
    """Return the run with the highest mAP, the first among equals."""
    return max(test.runs, key=lambda run: run.scores.mAP)


def usual_far(verification: Verification) -> float | None:
    """Return FAR 0.1 %, or the next larger one that the pairs suffice for; None if none does."""
    known = [far for far in verification.fars if verification.tar(far) is not None]
    return min((far for far in known if far >= _FAR), default=max(known, default=None))


def _headline(number: int, test: Test, facts: dict[str, RunFacts]) -> Headline:
    best = best_run(test)
    sentences = [
        _opening(test, best),
        _gained(best),
        _compared(test, best),
        _largest_gap(test, best),
        _threshold(best, facts.get(best.name)),
        _caution(test, best),
    ]
    return Headline(
        test=number,
        data=test.name,
        best=best.name,
        verdict=_verdict(test, best),
        numbers=_numbers(best),
        sentences=tuple(sentence for sentence in sentences if sentence),
    )


def _numbers(run: TestedRun) -> tuple[KeyNumber, ...]:
    numbers = [_key_number(run, name, name) for name in ("mAP", "rank-1")]
    if run.verification is not None:
        far = usual_far(run.verification)
        if far is not None:
            numbers.append(_key_number(run, tar_name(far), f"TAR at FAR {rate(far)}"))
        numbers.append(_key_number(run, "EER", "equal error rate"))
    return tuple(number for number in numbers if number is not None)


def _key_number(run: TestedRun, name: str, label: str) -> KeyNumber | None:
    score = run.intervals.scores.get(name)
    if score is None:
        return None
    return KeyNumber(label, percent(score.value), span(score.low, score.high), meaning(name))


def _verdict(test: Test, best: TestedRun) -> str:
    """Say how often the best run is right, and whether it is surely better than the next one."""
    first = best.intervals.scores["rank-1"].value
    start = f"{best.name} puts the right identity first for {percent(first)} of the queries"
    rival = _rival(test, best)
    if rival is None:
        return f"{start}."
    other, change = rival
    if not side(change):
        return f"{start}; there is no clear difference between it and {other}."
    return f"{start} and is clearly {'better' if side(change) > 0 else 'worse'} than {other}."


def _opening(test: Test, best: TestedRun) -> str:
    scores, level = best.intervals.scores, best.intervals.level
    scores_text = " and ".join(
        f"{name} {interval(scores[name].value, scores[name].low, scores[name].high, level)}"
        for name in ("mAP", "rank-1")
    )
    who = best.name if len(test.runs) == 1 else f"{best.name}, the best of {len(test.runs)} runs,"
    repeats = f", mean of {test.repeats} repeats" if test.repeats > 1 else ""
    return (
        f"{who} reaches {scores_text} with {plural(test.queries, 'query', 'queries')} against "
        f"{plural(test.gallery, 'gallery image')}{repeats}."
    )


def _rival(test: Test, best: TestedRun) -> tuple[str, Difference] | None:
    """Return whom the best run is set against, and by how much its mAP is above that one's.

    That is the first run, or where that is the best itself, the one that comes next.
    """
    if not test.pairs:
        return None
    pair = next((pair for pair in test.pairs if pair.name == best.name), None)
    if pair is not None:
        return pair.baseline, pair.differences["mAP"]
    pair = max(test.pairs, key=lambda pair: pair.differences["mAP"].value)
    return pair.name, pair.differences["mAP"].turned()


def _compared(test: Test, best: TestedRun) -> str:
    """Say by how much the best run is above its rival, and how sure that is."""
    rival = _rival(test, best)
    if rival is None:
        return ""
    other, change = rival
    where = "above" if change.value >= 0 else "below"
    doubt = "" if side(change) else ": it includes zero, so there is no clear difference"
    return (
        f"On the same queries its mAP is {100 * abs(change.value):.1f} points {where} that of "
        f"{other} ({100 * best.intervals.level:g} % interval "
        f"{span(change.low, change.high, signed=True)}{doubt})."
    )


def _gained(best: TestedRun) -> str:
    """Say what training gained over the untrained backbone."""
    if best.worth is None:
        return ""
    gain = best.worth.gains["mAP"]
    outcome = "no clear difference" if gain.verdict == "unclear" else f"it {gain.verdict}"
    return (
        f"Training made {outcome}: mAP {percent(gain.before)} of {best.worth.untrained} became "
        f"{percent(gain.after)} (difference "
        f"{span(gain.difference.low, gain.difference.high, signed=True)})."
    )


def side(change: Difference | Gap) -> int:
    """Return 1 or -1 where a whole interval lies above or below zero, 0 where it does not."""
    return 1 if change.low > 0 else -1 if change.high < 0 else 0


def _largest_gap(test: Test, best: TestedRun) -> str:
    gaps = [
        (gap, part.attribute, part.level, part.groups)
        for part in best.breakdowns
        for gap in part.gaps
        if gap.score == "mAP"
    ]
    if not gaps:
        return ""
    gap, attribute, level, groups = max(gaps, key=lambda candidate: candidate[0].value)
    low, high = (_group_score(groups, name) for name in (gap.worst, gap.best))
    open_end = "" if side(gap) else ", which includes zero"
    return (
        f"Its largest gap in mAP is by {attribute}: {percent(low)} for "
        f"{group_name(gap.worst, attribute)} and {percent(high)} for "
        f"{group_name(gap.best, attribute)}, {100 * gap.value:.1f} points apart "
        f"({100 * level:g} % interval {span(gap.low, gap.high, signed=True)}{open_end})."
    )


def _group_score(groups: Sequence[Group], name: str) -> float | None:
    group = next(group for group in groups if group.name == name)
    return group.scores["mAP"].value if "mAP" in group.scores else None


def _threshold(best: TestedRun, facts: RunFacts | None) -> str:
    chosen = None if facts is None else facts.threshold
    verification = best.verification
    if chosen is not None:
        source = f" among {count(chosen.images)} {chosen.source}" if chosen.source else ""
        text = (
            f"Two images count as one identity from a cosine of {similarity(chosen.threshold)} "
            f"on, chosen at FAR {rate(chosen.far)} on {plural(chosen.pairs, 'pair')} of different "
            f"identities{source}."
        )
        if best.stored is None:
            return text
        return (
            f"{text} Of these test pairs it accepts {percent(best.stored.tar)} of those of one "
            f"identity and {percent(best.stored.far, 2)} of those of different ones. "
            f"{best.stored.note}"
        ).strip()
    far = None if verification is None else usual_far(verification)
    if verification is None or far is None:
        return ""
    return (
        f"It has no threshold of its own. On these test pairs, a cosine of "
        f"{similarity(verification.threshold(far))} keeps FAR {rate(far)} and accepts "
        f"{percent(verification.tar(far))} of the pairs of one identity; a threshold in use must "
        "be chosen on other images."
    )


def _caution(test: Test, best: TestedRun) -> str:
    parts = []
    lost = sum(unmatched.count for unmatched in test.unmatched)
    if lost:
        are = "has" if lost == 1 else "have"
        parts.append(f"{plural(lost, 'query', 'queries')} {are} no match and count nowhere.")
    if best.intervals.few:
        parts.append(
            f"There are only {plural(best.intervals.identities, 'identity', 'identities')} to draw "
            "from, so the intervals say little."
        )
    return " ".join(parts)
