"""What a store of records can do to become the copy of another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from promptreid.gallery.records.record_rows import (
    Counters,
    EntryRow,
    IdentityRow,
    NegativeRow,
)


class RestoringStore(Protocol):
    """Rows that are written as they were elsewhere, with their numbers and versions.

    They go into empty records, within one `writing`, in this order: models (`begin_model`),
    identities, entries, negative examples, vectors (`put_vectors`, which changes no version while
    no model is searched), the model that is searched (`set_model`), null sample, audit records,
    refused digests, counters.
    """

    def counters(self) -> Counters:
        """Return the highest numbers that were given."""
        ...

    def restore_identities(self, rows: Iterable[IdentityRow]) -> None:
        """Write identities with their numbers, names, notes and versions."""

    def restore_entries(self, rows: Iterable[tuple[EntryRow, bytes | None]]) -> None:
        """Write entries with their numbers and versions, each with its crop if any."""

    def restore_negatives(self, rows: Iterable[tuple[NegativeRow, bytes | None]]) -> None:
        """Write negative examples with their numbers, each with its crop if any; no vectors."""

    def restore_counters(self, counters: Counters) -> None:
        """Let no number up to these be given again; none of them goes down.

        The stamp of this transaction is that of the revision that results.
        """
