"""What was found and scored, for people who know nothing of machine learning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from promptreid.text.lists import counted, shorten_list
from promptreid.text.number_words import alike_digits, write_threshold

if TYPE_CHECKING:
    from promptreid.gallery.upkeep.gallery_facts import GalleryFacts

FEW = 20
"""Individuals below which a threshold is a rough guide."""

_VERDICTS = {
    "better": "So the training was worth it.",
    "worse": "So the training made it worse.",
    "unclear": "That is no clear difference: with these pictures, training has not shown its "
    "worth. More individuals, and pictures of other days or cameras, are the way to more.",
}


def describe_pictures(inspection: Mapping[str, Any]) -> Iterator[str]:
    """Say what an inspection found.

    Args:
        inspection: What `promptreid data inspect --json` gives.
    """
    training = [one for one in inspection["splits"] if one["split"] == "train"]
    others = [one for one in inspection["splits"] if one["split"] != "train"]
    told = [f"{counted(inspection['images'], 'picture')}."]
    if training:
        told.append(f"{_tell_share(training[0])} are for the training.")
    if training and others:
        told.append(
            f"{' and '.join(map(_tell_share, others))} are kept for the test, since scores are "
            "honest only on individuals that the training never saw."
        )
    yield " ".join(told)
    cameras = inspection["cameras"]
    if cameras:
        yield f"They come from {counted(len(cameras), 'camera')}."
    unreadable = [one["path"] for one in inspection["unreadable"]]
    if unreadable:
        yield (
            f"{counted(len(unreadable), 'picture')} cannot be read and will be left out: "
            f"{shorten_list(unreadable)}."
        )


def describe_faults(inspection: Mapping[str, Any]) -> Iterator[str]:
    """Say what deserves a look before pictures are learned from, as `describe_pictures` does."""
    yield from inspection["warnings"]
    faults = [text for text in inspection["problems"] if "cannot be read" not in text]
    if faults:
        yield "For honest scores, mend this first: " + " ".join(faults)


def _tell_share(split: Mapping[str, Any]) -> str:
    least, middle, most = split["per_identity"]
    each = f"{least} of each" if least == most else f"{least} to {most} of each, {middle:g} usually"
    individuals = counted(split["identities"], "individual")
    return f"{counted(split['images'], 'picture')} of {individuals} ({each})"


def describe_scores(results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say how good a model is: how often the first picture that it finds is the right one.

    Args:
        results: What `scores.json` holds.
    """
    if not results:
        yield "There is nothing to test on, so it has no score."
        return
    result, worth = results[0], results[0].get("worth")
    first, whole = f"{100 * result['cmc']['1']:.0f} of 100 pictures", f"{result['mAP']:.1%}"
    if worth is not None:
        first += f" (before the training, for {100 * worth['rank-1']['before']:.0f})"
        whole += f" (before {worth['mAP']['before']:.1%})"
    yield (
        "In the test, what is found first shows the right individual for "
        f"{first}. The usual score of the whole order, mAP, is {whole}."
    )
    if worth is not None:
        yield _VERDICTS[worth["verdict"]]


def describe_threshold(threshold: Mapping[str, Any] | None) -> str:
    """Say from which score on two pictures count as the same individual."""
    if threshold is None:
        return (
            "There is no threshold: there are too few individuals to say how high strangers score. "
            "Searches still rank who is most alike."
        )
    few = threshold["identities"] < FEW
    score = threshold["threshold"]
    rough = "; it was chosen on few individuals, so take it as a rough guide" if few else ""
    return (
        "Two pictures count as the same individual from a score of "
        f"{write_threshold(score)} on. At most 1 in {round(1 / threshold['far']):,} pairs "
        f"of strangers score so high{rough}."
    )


def describe_enrolment(facts: GalleryFacts) -> str:
    """Say who can be searched for now."""
    individuals = counted(facts.identities, "individual")
    return f"{counted(facts.entries, 'picture')} of {individuals} can be searched for."


def describe_answer(
    name: str, candidates: Sequence[tuple[str, float]], *, is_enrolled: bool
) -> str:
    """Say what a search found for a picture.

    Args:
        name: The picture.
        candidates: The best individuals or pictures with their scores.
        is_enrolled: Whether the picture itself is among those that are searched.
    """
    digits = alike_digits(score for _, score in candidates)
    best = ", ".join(f"{who} ({score:.{digits}f})" for who, score in candidates)
    itself = (
        " The picture itself is among them, so of course it comes first." if is_enrolled else ""
    )
    return f"Most like {name} are {best}.{itself}"
