"""Counts and digests of all that records hold, by which two stores are compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from promptreid.gallery.records.record_rows import SEARCHED
from promptreid.gallery.records.record_store import Records
from promptreid.json_record import JsonRecord


@dataclass(frozen=True)
class PartDigest(JsonRecord):
    """How many rows a part of the records has, and a digest of all of them.

    Attributes:
        rows: Number of rows.
        digest: SHA-256 in hex, of the rows in the order of their numbers.
    """

    rows: int
    digest: str


def digest_records(records: Records) -> dict[str, PartDigest]:
    """Digest every part of the records, by name; call it within `reading` or `writing`.

    Two stores that give the same hold the same, whatever kind they are of: numbers, versions,
    pictures, vectors of all models, the null sample, negative examples, audit records, and what
    is refused. Where the records are, and their revision, does not count.
    """
    digests = {
        "settings": _digest([sorted(records.settings().items())]),
        "identities": _digest(vars(row) for row in records.identities()),
        "entries": _digest(vars(row) for row, _ in records.entries()),
        "pictures": _digest(_list_pictures(records)),
        "null sample": _digest(
            vars(row) for row in sorted(records.null_rows(), key=lambda row: row.identity)
        ),
        "negative examples": _digest(
            {**vars(row), "vector": None, "crop": records.negative_picture(row.negative).crop}
            for row in records.negatives()
        ),
        "refused contents": _digest(sorted(records.refused())),
        "audit records": _digest(
            {**vars(row), "entries": sorted(row.entries)} for row in records.audit_rows()
        ),
        "audit head": _digest([asdict(records.audit_head())]),
    }
    for stored in records.models():
        fingerprint = stored.model.fingerprint
        name = f"vectors of the model {fingerprint[:16]}"
        searched = stored.state == SEARCHED
        digests[f"model {fingerprint[:16]}"] = _digest([asdict(stored.model), searched])
        for text in (False, True):
            digests[f"{name}{' for texts' if text else ''}"] = _digest(
                (row.entry, vector)
                for row, vector in records.entries(model=fingerprint, text=text)
                if vector is not None
            )
        digests[f"{name} of negative examples"] = _digest(
            (row.negative, row.vector) for row in records.negatives(fingerprint)
        )
    return digests


def _list_pictures(records: Records) -> Iterator[tuple[int, bytes | None]]:
    for row, _ in records.entries():
        yield row.entry, records.picture(row.entry).crop


def _digest(rows: Iterable[Any]) -> PartDigest:
    digest, count = hashlib.sha256(), 0
    for row in rows:
        digest.update(json.dumps(row, sort_keys=True, default=_to_text).encode())
        digest.update(b"\n")
        count += 1
    return PartDigest(count, digest.hexdigest())


def _to_text(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value = np.ascontiguousarray(value, "<f4").tobytes()
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else dict(value)
