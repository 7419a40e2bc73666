"""The chain of audit records: each link covers the one before, payloads are committed to by hash.

A link is `SHA-256(digest before, number, time, commitment)`, a commitment is `SHA-256(salt,
payload)`. The salt is random and goes with the payload, so that what was erased cannot be guessed
from its commitment, while the chain over it still holds.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

from promptreid.gallery.records.record_rows import AuditHead, AuditRow

SALT_BYTES = 32


def commit_to(salt: bytes, payload: str) -> str:
    """Return the commitment to a payload, SHA-256 in hex."""
    return hashlib.sha256(b"promptreid audit payload\n" + salt + payload.encode()).hexdigest()


def link_to(before: str, number: int, time: int, commitment: str) -> str:
    """Return the digest of a link, SHA-256 in hex.

    Args:
        before: Digest of the link before; empty for the first.
        number: Place in the chain, from 1 on.
        time: Milliseconds since 1970 (UTC).
        commitment: Commitment to the payload.
    """
    text = f"promptreid audit link\n{before}\n{number}\n{time}\n{commitment}"
    return hashlib.sha256(text.encode()).hexdigest()


def extend_chain(
    head: AuditHead,
    payloads: Sequence[str],
    *,
    time: int,
    inputs: Sequence[str | None],
    entries: Sequence[Sequence[int]],
) -> list[AuditRow]:
    """Make the records that follow the end of a chain.

    Args:
        head: The end of the chain.
        payloads: N texts.
        time: Milliseconds since 1970 (UTC).
        inputs: Content hash of the picture that each is about, if any.
        entries: Numbers of the entries that each names.
    """
    rows, number, digest = [], head.count, head.digest
    for payload, input_hash, named in zip(payloads, inputs, entries, strict=True):
        salt, number = secrets.token_bytes(SALT_BYTES), number + 1
        commitment = commit_to(salt, payload)
        digest = link_to(digest, number, time, commitment)
        rows.append(
            AuditRow(number, time, commitment, digest, salt, payload, input_hash, tuple(named))
        )
    return rows
