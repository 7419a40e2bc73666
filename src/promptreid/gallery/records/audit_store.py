"""What a store of records can do with audit records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from promptreid.gallery.records.record_rows import AuditHead, AuditRow


class AuditStore(Protocol):
    """A chain of audit records, to whose end alone something is put.

    A store keeps what it is given; who makes and verifies the chain is `gallery/audit`. Payloads
    are kept apart from the links, so that deleting entries can delete payloads.
    """

    def noting(self) -> AbstractContextManager[None]:
        """Commit audit records that are put within it when it ends, or nothing where it raises.

        As `writing`, but that the revision stays, since nothing changes that a search depends on.

        Raises:
            GalleryError: Another process has been writing for too long.
        """
        ...

    def audit_head(self) -> AuditHead:
        """Return the end of the chain, which is kept beside the records themselves."""
        ...

    def append_audit(self, rows: Sequence[AuditRow]) -> None:
        """Put records at the end of the chain, and let the last be its head."""

    def erase_payloads(self, numbers: Iterable[int]) -> None:
        """Delete payloads by the numbers of their records, whose links stay; `compact` is due."""

    def audit_rows(self, since: int = 0, number: int | None = None) -> Iterator[AuditRow]:
        """Give audit records in the order of their numbers.

        Args:
            since: Earliest time, in milliseconds since 1970 (UTC).
            number: Only the record of this number.
        """
        ...
