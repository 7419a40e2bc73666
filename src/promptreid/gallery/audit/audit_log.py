"""Writing down what a gallery is used for, and reading it."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from promptreid.errors import GalleryError
from promptreid.gallery.audit.audit_chain import extend_chain
from promptreid.gallery.audit.audit_verification import AuditFinding, find_breaks, says_erased
from promptreid.gallery.audit.audited_use import (
    CONFIRMATION,
    ERASURE,
    EXPIRY,
    AuditedUse,
    AuditRecord,
)
from promptreid.gallery.gallery_errors import NotEnrolledError, StoreInUseError
from promptreid.gallery.records.record_rows import AuditHead
from promptreid.gallery.records.record_store import Records


@dataclass(frozen=True)
class Basis:
    """What an answer rests on.

    Attributes:
        fingerprint: That of the model; None before the first.
        revision: Revision of the records.
    """

    fingerprint: str | None
    revision: int


@dataclass(eq=False)
class _Waiting:
    """Uses that a thread waits to be written down, and what became of them."""

    uses: Sequence[AuditedUse]
    basis: Basis | None
    numbers: list[int] | None = None
    error: Exception | None = None


class AuditLog:
    """The audit records of a gallery.

    Attributes:
        is_on: Whether uses are written down.
    """

    def __init__(
        self,
        records: Records,
        lock: threading.RLock,
        *,
        is_on: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take records, and the lock of those who use them.

        Args:
            records: Where audit records are kept.
            lock: Held by the one thread that uses the records.
            is_on: Whether uses are written down.
            clock: Gives seconds since 1970.
        """
        self.is_on = is_on
        self._records, self._lock, self._clock = records, lock, clock
        self._waiting: list[_Waiting] = []
        self._waiting_lock = threading.Lock()

    def note(self, uses: Sequence[AuditedUse], basis: Basis | None = None) -> list[int]:
        """Write down uses, and return the numbers of their records, which are on the disk then.

        What other threads note at the same time is written in the same transaction, so that one
        wait for the disk is enough for all of them; call it without the lock of the records.

        Args:
            uses: What is written down.
            basis: What the answers rest on; what the records hold now by default.

        Raises:
            GalleryError: Another process has been writing for too long.
        """
        if not uses:
            return []
        own = _Waiting(uses, basis)
        with self._waiting_lock:
            self._waiting.append(own)
        with self._lock:
            if own.numbers is None and own.error is None:
                with self._waiting_lock:
                    group, self._waiting = self._waiting, []
                if own not in group:  # a thread that was interrupted had taken it along
                    group.append(own)
                self._write(group)
        if own.error is not None:
            raise own.error
        return own.numbers or []

    def note_erasure(self, numbers: Sequence[int], asked_by: str = "") -> None:
        """Write down that payloads were erased; call it within the transaction that erases them."""
        if numbers:
            self._append([AuditedUse(ERASURE, asked_by, None, {"records": _to_ranges(numbers)})])

    def expire(self, before: float, asked_by: str = "") -> int:
        """Erase the content of all records from before a time; another one says which.

        The links stay, so that the chain can be verified as before, and so does what was written
        down of erasures, which is numbers alone.

        Args:
            before: Seconds since 1970 (UTC).
            asked_by: Who asks.

        Returns:
            How many records lost their content.

        Raises:
            GalleryError: Another process has been writing for too long.
        """
        latest = round(before * 1000)
        with self._lock:
            with self._records.noting():
                numbers = [
                    row.number
                    for row in self._records.audit_rows()
                    if row.time < latest and row.payload is not None and not says_erased(row)
                ]
                if not numbers:
                    return 0
                self._records.erase_payloads(numbers)
                answer = {"records": _to_ranges(numbers), "before": latest}
                self._append([AuditedUse(EXPIRY, asked_by, None, answer)])
            with contextlib.suppress(StoreInUseError):  # then the next opening rewrites the store
                self._records.compact()
        return len(numbers)

    def confirm(
        self, number: int, *, by: str, right: bool, words: str = "", token: str = ""
    ) -> int:
        """Write down that somebody looked at an answer, and whether it was right.

        Args:
            number: Number of the record of the answer.
            by: Who looked.
            right: Whether the answer was right.
            words: What there is to say about it.
            token: Name of the token with which a service was told, since `by` is only said.

        Returns:
            Number of the new record.

        Raises:
            NotEnrolledError: There is no such record, or its content was erased.
            GalleryError: Nobody is named, or another process has been writing for too long.
        """
        if not by.strip():
            raise GalleryError("Name who verified the answer.")
        with self._lock, self._records.noting():
            row = next(iter(self._records.audit_rows(number=number)), None)
            if row is None or row.payload is None:
                missing = "There is no audit record" if row is None else "The content was erased of"
                raise NotEnrolledError(f"{missing} {number} in {self._records.place}.")
            answer = {"record": number, "right": right, "words": words}
            if token:
                answer["token"] = token
            use = AuditedUse(CONFIRMATION, by.strip(), row.input_hash, answer, row.entries)
            return self._append([use])[0]

    def read(self, since: float = 0, number: int | None = None) -> Iterator[AuditRecord]:
        """Give records in their order, those without content included.

        Between two records nobody is held up, however long the caller takes over one.

        Args:
            since: Earliest time, in seconds since 1970 (UTC).
            number: Only this one.
        """
        rows = self._records.audit_rows(round(since * 1000), number)
        while True:
            with self._lock:
                row = next(rows, None)
            if row is None:
                return
            content = None if row.payload is None else json.loads(row.payload)
            yield AuditRecord(row.number, row.time, row.digest, content)

    def head(self) -> AuditHead:
        """Return the end of the chain, which is worth noting elsewhere."""
        with self._lock:
            return self._records.audit_head()

    def verify(self, noted: AuditHead | None = None) -> list[AuditFinding]:
        """Say what was changed, cut out, put in or reordered; an empty list where nothing was.

        Args:
            noted: An end of the chain that was noted elsewhere; without it, a chain that somebody
                computed anew as a whole looks right.
        """
        with self._lock, self._records.reading():
            return find_breaks(self._records.audit_rows(), self._records.audit_head(), noted)

    def _write(self, group: Sequence[_Waiting]) -> None:
        """Write down what several threads wait for; all of them or none."""
        try:
            with self._records.noting():
                numbers = [self._append(one.uses, one.basis) for one in group]
        except Exception as error:  # each thread that waits has to know
            for one in group:
                one.error = error
        else:
            for one, written in zip(group, numbers, strict=True):
                one.numbers = written

    def _append(self, uses: Sequence[AuditedUse], basis: Basis | None = None) -> list[int]:
        records = self._records
        if basis is None:
            model = records.model()
            basis = Basis(None if model is None else model.fingerprint, records.revision())
        rows = extend_chain(
            records.audit_head(),
            [
                use.to_payload(
                    gallery=records.place, model=basis.fingerprint, revision=basis.revision
                )
                for use in uses
            ],
            time=round(self._clock() * 1000),
            inputs=[use.input_hash for use in uses],
            entries=[use.entries for use in uses],
        )
        records.append_audit(rows)
        return [row.number for row in rows]


def _to_ranges(numbers: Sequence[int]) -> list[list[int]]:
    """Return ascending numbers as first and last of each run."""
    ranges: list[list[int]] = []
    for number in sorted(set(numbers)):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ranges
