"""Contents that must not be enrolled again after they were erased, where that was asked for.

What is kept of them is a digest with a salt of the gallery. It tells whether a picture that
somebody has is one of them, and nothing to who has only the gallery.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence

from promptreid.gallery.records.record_store import Records

_SALT = "refusal_salt"


def refuse_contents(records: Records, hashes: Iterable[str]) -> None:
    """Remember contents, by content hash; call it within `writing`."""
    salt = records.settings().get(_SALT)
    if salt is None:
        salt = secrets.token_hex(32)
        records.set_setting(_SALT, salt)
    records.refuse(_digest(salt, content_hash) for content_hash in hashes)


def allow_contents(records: Records, hashes: Sequence[str]) -> int:
    """Forget contents, and return how many of them were refused; call it within `writing`."""
    refused = find_refused(records, hashes)
    salt = records.settings().get(_SALT, "")
    records.allow(_digest(salt, content_hash) for content_hash in refused)
    return len(refused)


def find_refused(records: Records, hashes: Sequence[str]) -> set[str]:
    """Return those of some content hashes that are refused."""
    salt = records.settings().get(_SALT)
    if salt is None or not hashes:
        return set()
    by_digest = {_digest(salt, content_hash): content_hash for content_hash in hashes}
    return {by_digest[digest] for digest in records.refused(list(by_digest))}


def _digest(salt: str, content_hash: str) -> str:
    return hashlib.sha256(
        f"promptreid refused content\n{salt}\n{content_hash}".encode()
    ).hexdigest()
