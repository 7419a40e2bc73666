"""Answers of a gallery as the audit records keep them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from promptreid.gallery.audit.audited_use import SEARCH, TEXT_SEARCH, VERIFICATION, AuditedUse
from promptreid.gallery.image_content import digest_image
from promptreid.gallery.searching.answer import Answer, Neighbour
from promptreid.gallery.texts.text_answer import TextAnswer, TextCandidate
from promptreid.gallery.vector_model import GalleryImage

if TYPE_CHECKING:
    from promptreid.evaluation.thresholds.threshold import PairComparison

_DECIMALS = 6


def describe_answers(
    images: Sequence[GalleryImage], answers: Sequence[Answer], asked_by: str
) -> list[AuditedUse]:
    """Describe what was answered about each of N images."""
    return [
        AuditedUse(
            SEARCH,
            asked_by,
            digest_image(image),
            {
                "verdict": answer.verdict,
                "identity": answer.identity,
                "p": round(answer.p, _DECIMALS),
                "rate": answer.rate,
                "identities": answer.identities,
                "candidates": [
                    {
                        "identity": one.identity,
                        "entry": one.entry,
                        "score": round(one.score, _DECIMALS),
                        "p": round(one.p, _DECIMALS),
                    }
                    for one in answer.candidates
                ],
            },
            tuple(one.entry for one in answer.candidates),
        )
        for image, answer in zip(images, answers, strict=True)
    ]


def describe_neighbours(
    images: Sequence[GalleryImage], neighbours: Sequence[Sequence[Neighbour]], asked_by: str
) -> list[AuditedUse]:
    """Describe which entries were given as most like each of N images."""
    return [
        AuditedUse(
            SEARCH,
            asked_by,
            digest_image(image),
            {"nearest": _list_neighbours(near)},
            tuple(one.entry for one in near),
        )
        for image, near in zip(images, neighbours, strict=True)
    ]


def describe_text_search(
    answer: TextAnswer, image: GalleryImage | None, asked_by: str
) -> AuditedUse:
    """Describe who was given for a sentence, alone or beside a picture."""
    return AuditedUse(
        TEXT_SEARCH,
        asked_by,
        None if image is None else digest_image(image),
        {
            "words": answer.sentence,
            "weight": answer.weight,
            "nearest": _list_neighbours(answer.candidates),
        },
        tuple(one.entry for one in answer.candidates),
    )


def describe_verification(
    first: GalleryImage, second: GalleryImage, compared: PairComparison, asked_by: str
) -> AuditedUse:
    """Describe what was said of two images.

    Only a hash of both together is kept, which shows which pair was compared to who has both, and
    says nothing of either alone.
    """
    digests = sorted(digest_image(image) for image in (first, second))
    pair = hashlib.sha256("\n".join(digests).encode()).hexdigest()
    answer = {
        "pair": pair,
        "same": compared.same,
        "score": round(compared.score, _DECIMALS),
        "threshold": round(compared.threshold, _DECIMALS),
        "rate": compared.far,
    }
    return AuditedUse(VERIFICATION, asked_by, None, answer)


def _list_neighbours(neighbours: Sequence[Neighbour | TextCandidate]) -> list[dict[str, Any]]:
    return [
        {
            "identity": one.identity,
            "entry": one.entry,
            "score": round(one.score, _DECIMALS),
        }
        for one in neighbours
    ]
