"""One use of a gallery, as the audit records keep it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

SEARCH, TEXT_SEARCH, VERIFICATION = "search", "text search", "verification"
CONFIRMATION, ERASURE, EXPIRY = "confirmation", "erasure", "expiry"
KINDS = (SEARCH, TEXT_SEARCH, VERIFICATION, CONFIRMATION, ERASURE, EXPIRY)
"""What a use was: asking about a picture, asking by words, comparing two pictures, saying whether
an answer was right, and erasing what earlier records held, with somebody or after a term."""


@dataclass(frozen=True)
class AuditedUse:
    """A use that is to be recorded.

    Attributes:
        kind: One of `KINDS`.
        asked_by: Who asked, in the caller's words; empty where unknown.
        input_hash: SHA-256 in hex of the picture that was asked about; None for words.
        answer: JSON-ready facts of the answer: verdict, names, scores, rate.
        entries: Numbers of the entries that the answer names; erasing one erases this.
    """

    kind: str
    asked_by: str
    input_hash: str | None
    answer: dict[str, Any] = field(default_factory=dict)
    entries: tuple[int, ...] = ()

    def to_payload(self, *, gallery: str, model: str | None, revision: int) -> str:
        """Return the text that a record commits to.

        Args:
            gallery: Where the gallery is.
            model: Fingerprint of the model that is searched.
            revision: Revision of the records that answered.
        """
        return json.dumps(
            {
                "kind": self.kind,
                "asked_by": self.asked_by,
                "input": self.input_hash,
                "answer": self.answer,
                "gallery": gallery,
                "model": model,
                "revision": revision,
            },
            ensure_ascii=False,
            sort_keys=True,
        )


@dataclass(frozen=True)
class AuditRecord:
    """A record as people read it.

    Attributes:
        number: Its place in the chain.
        time: Milliseconds since 1970 (UTC).
        digest: That of its link.
        content: What the payload says; None where it was erased.
    """

    number: int
    time: int
    digest: str
    content: dict[str, Any] | None

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, JSON-ready."""
        return dict(vars(self))
