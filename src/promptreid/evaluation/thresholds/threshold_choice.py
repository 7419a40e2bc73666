"""Choose the threshold for the same identity, on images that are not tested on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import comb

import torch

from promptreid.errors import EvaluationError
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.scoring_rules import camera_rule
from promptreid.evaluation.thresholds.false_accept_interval import far_interval
from promptreid.evaluation.thresholds.pair_sets import PairSet, impostor_scores, pair_sets
from promptreid.evaluation.thresholds.stranger_scores import stranger_scores
from promptreid.evaluation.thresholds.threshold import RATES, Threshold
from promptreid.evaluation.verification.float_order import next_above
from promptreid.evaluation.verification.roc import allowed_accepts
from promptreid.evaluation.verification.verification import check_rates


def choose_threshold(
    embeddings: Embeddings | PairSet | Sequence[Embeddings | PairSet],
    far: float = 1e-3,
    *,
    same_camera: str = "auto",
    source: str = "",
    people: str = "",
) -> Threshold:
    """Choose the lowest threshold that keeps a false accept rate, on all pairs of some images.

    It is one of the scores of all pairs. Pairs of one identity are not needed; without them it is
    the lowest score of two identities that is still accepted.

    Args:
        embeddings: Images of at least two identities, never test images. Each unordered pair counts
            once. Of several sets, such as those that models of a cross-fit made, pairs are
            made within each set, on its scale, and all of them count together.
        far: The false accept rate, above 0 and below 1.
        same_camera: Which pairs of one identity count, see `verify`.
        source: Which images these are, in words; kept with the threshold.
        people: What the model knew of their identities, one of `PEOPLE`; kept with the threshold.

    Raises:
        EvaluationError: The rate is out of range or too small for the number of pairs, or all
            images show one identity.
    """
    check_rates((far,))
    sets = pair_sets(embeddings)
    images = sum(len(part.embeddings) for part in sets)
    impostors = sum(impostor_pairs(part.embeddings.identities) for part in sets)
    if not impostors:
        raise EvaluationError(
            f"A threshold is chosen on pairs of different identities, and {images} images "
            "of one make none. Give images of two identities at least."
        )
    allowed = allowed_accepts(far, impostors)
    if not allowed:
        raise EvaluationError(
            f"A false accept rate of {far:g} cannot be measured on {impostors:,} pairs of "
            f"different identities; the smallest that can is {1 / impostors:.2g}. Give more "
            "images or a larger rate."
        )
    refused, threshold = _find_lowest_accepted(sets, allowed)
    genuine, accepted, lowest = _count_genuine(sets, same_camera, refused, threshold)
    threshold = min(threshold, lowest)
    return Threshold(
        threshold=threshold,
        far=far,
        pairs=impostors,
        images=images,
        identities=len({name for part in sets for name in part.embeddings.identities}),
        source=source,
        people=people,
        far_interval=far_interval(sets, threshold),
        genuine=genuine,
        tar=accepted / genuine if genuine else None,
        strangers=stranger_scores(sets),
    )


def smallest_rate(*identities: Sequence[str], rates: Sequence[float] = RATES) -> float | None:
    """Give the first of some false accept rates that can be measured; None if none can.

    A rate can be measured when at least one pair of different identities may be accepted. Images
    of two look-alikes make many pairs that are accepted together, so it is pairs of identities that
    count here, not of images; only the largest rate is content with pairs of images.

    Args:
        identities: Identities of the images of each set; pairs are made within a set.
        rates: Rates in the order of preference.
    """
    people = sum(comb(len(set(names)), 2) for names in identities)
    images = sum(impostor_pairs(names) for names in identities)
    measurable = next((rate for rate in rates if allowed_accepts(rate, people)), None)
    if measurable is None and allowed_accepts(rates[-1], images):
        return rates[-1]
    return measurable


def impostor_pairs(identities: Sequence[str]) -> int:
    """Count the unordered pairs of images that show different identities."""
    return comb(len(identities), 2) - sum(comb(n, 2) for n in Counter(identities).values())


def _find_lowest_accepted(sets: Sequence[PairSet], allowed: int) -> tuple[float, float]:
    """Find the highest score of two identities that is refused, and the lowest that is accepted.

    At most `allowed` of such scores are accepted; of equal ones all or none are.
    """
    highest = torch.empty(0)
    for part in impostor_scores(sets):
        scores = torch.cat([highest, part])
        highest = scores.topk(min(allowed + 1, len(scores)), sorted=False).values
    refused = float(highest.min())
    accepted = highest[highest > refused]
    return refused, float(accepted.min()) if len(accepted) else float(next_above(refused))


def _count_genuine(
    sets: Sequence[PairSet], same_camera: str, refused: float, threshold: float
) -> tuple[int, int, float]:
    """Look at the pairs of one identity that count.

    Returns:
        Their number, how many of them score above `refused`, and the lowest such score, `threshold`
        where there is none.
    """
    count, accepted, lowest = 0, 0, threshold
    for part in sets:
        rule, _ = camera_rule(same_camera, part.embeddings)
        for block in part.blocks(exclude_camera=rule == "exclude"):
            above = block.genuine[block.genuine > refused]
            count, accepted = count + len(block.genuine), accepted + len(above)
            lowest = min(lowest, float(above.min())) if len(above) else lowest
    return count, accepted, lowest
