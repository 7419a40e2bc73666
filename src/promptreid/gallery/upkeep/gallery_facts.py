"""What a gallery holds and what it can promise, in numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.gallery_settings import GallerySettings
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.nobody import accepting_score, identities_needed, least_rate
from promptreid.json_record import JsonRecord


@dataclass(frozen=True)
class GalleryFacts(JsonRecord):
    """Numbers and words about a gallery.

    Attributes:
        place: Where it is.
        entries: Images.
        hidden: How many of them are hidden.
        identities: Identities.
        calibrating: Identities that the null sample is of.
        fingerprint: That of the model; None before the first.
        model: What is known of the model.
        width: Length of a vector.
        aggregate: How an identity's images become one score.
        keep: What is kept of image files.
        rate: The part of strangers that may be accepted.
        least_rate: The least rate that so many identities can promise.
        accepting_score: The score above which somebody is recognised now; None where nobody can be.
        needed: Identities that the rate needs.
        audit: Which uses are written down; one of `AUDITS`.
        audit_records: Number of audit records.
        audit_digest: Digest of the last one, which with the number is worth noting elsewhere; empty
            without any.
        negatives: Number of negative examples.
        models: State and number of vectors of each model, by fingerprint.
    """

    place: str
    entries: int
    hidden: int
    identities: int
    calibrating: int
    fingerprint: str | None
    model: dict[str, Any]
    width: int | None
    aggregate: str
    keep: str
    rate: float
    least_rate: float
    accepting_score: float | None
    needed: int
    audit: str
    audit_records: int
    audit_digest: str
    negatives: int
    models: dict[str, tuple[str, int]]


@dataclass(frozen=True, eq=False)
class GalleryCounts:
    """What is counted of a gallery.

    Attributes:
        entries: Images.
        hidden: How many of them are hidden.
        identities: Identities.
        null: (N,) scores of the null sample.
    """

    entries: int
    hidden: int
    identities: int
    null: NDArray[np.float64]


def read_facts(records: Records) -> GalleryFacts:
    """Read the facts of a gallery from its records alone, with nothing made ready for a search."""
    settings = GallerySettings.from_texts(records.settings())
    with records.reading():
        rows = records.identities()
        counts = GalleryCounts(
            sum(row.entries for row in rows),
            sum(row.hidden for row in rows),
            len(rows),
            np.array([row.score for row in records.null_rows()], np.float64),
        )
        return gather_facts(records, counts, settings)


def gather_facts(
    records: Records, counts: GalleryCounts, settings: GallerySettings
) -> GalleryFacts:
    """Gather the facts of a gallery."""
    model, null = records.model(), counts.null
    accepting, head = accepting_score(null, settings.rate), records.audit_head()
    return GalleryFacts(
        place=records.place,
        entries=counts.entries,
        hidden=counts.hidden,
        identities=counts.identities,
        calibrating=len(null),
        fingerprint=None if model is None else model.fingerprint,
        model={} if model is None else dict(model.description),
        width=None if model is None else model.width,
        aggregate=str(settings.aggregate),
        keep=settings.keep,
        rate=settings.rate,
        least_rate=least_rate(len(null)),
        accepting_score=accepting if math.isfinite(accepting) else None,
        needed=identities_needed(settings.rate),
        audit=settings.audit,
        audit_records=head.count,
        audit_digest=head.digest,
        negatives=len(records.negatives()),
        models={
            stored.model.fingerprint: (stored.state, stored.entries) for stored in records.models()
        },
    )
