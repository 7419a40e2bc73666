"""Finding what was changed in a chain of audit records after it was written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from promptreid.gallery.audit.audit_chain import commit_to, link_to
from promptreid.gallery.audit.audited_use import ERASURE, EXPIRY
from promptreid.gallery.records.record_rows import AuditHead, AuditRow
from promptreid.json_record import JsonRecord


@dataclass(frozen=True)
class AuditFinding(JsonRecord):
    """Something that is not as it was written.

    Attributes:
        number: Number of the record where it shows.
        problem: What is wrong, as a sentence.
    """

    number: int
    problem: str


def find_breaks(
    rows: Iterable[AuditRow], head: AuditHead, noted: AuditHead | None = None
) -> list[AuditFinding]:
    """Say where a chain was changed, cut or reordered.

    A payload may be missing only where a later record says that it was erased.

    Args:
        rows: The records in the order of their numbers.
        head: The end of the chain as the gallery keeps it.
        noted: An end of the chain that was noted elsewhere.
    """
    findings: list[AuditFinding] = []
    last, digest = 0, ""
    digests: dict[int, str] = {}
    empty: set[int] = set()
    erased: set[int] = set()
    for row in rows:
        if row.number != last + 1:
            findings.append(_missing(last + 1, row.number - 1))
        elif row.digest != link_to(digest, row.number, row.time, row.commitment):
            findings.append(
                AuditFinding(
                    row.number,
                    f"Record {row.number} does not follow from record {last}: one of them was "
                    "changed, exchanged or put in.",
                )
            )
        findings += _check_payload(row)
        if row.payload is None:
            empty.add(row.number)
        else:
            erased |= _read_erased(row)
        last, digest = row.number, row.digest
        if noted is not None and row.number == noted.count:
            digests[row.number] = row.digest
    findings += [
        AuditFinding(number, f"The content of record {number} is gone, and no erasure says so.")
        for number in sorted(empty - erased)
    ]
    if head.count > last:
        findings.append(_missing(last + 1, head.count))
    elif (last, digest) != (head.count, head.digest):
        findings.append(
            AuditFinding(
                last,
                f"The chain ends with record {last}, {digest[:16] or 'nothing'}, but the gallery "
                f"keeps {head.count}, {head.digest[:16] or 'nothing'}, as its end.",
            )
        )
    if noted is not None and noted.count and digests.get(noted.count) != noted.digest:
        findings.append(
            AuditFinding(
                noted.count,
                f"Record {noted.count} is not the one that was noted, "
                f"{noted.digest[:16]}: it, or one before it, was changed or taken away.",
            )
        )
    return findings


def _check_payload(row: AuditRow) -> list[AuditFinding]:
    if row.payload is None or row.salt is None:
        return []
    if commit_to(row.salt, row.payload) == row.commitment:
        return []
    return [
        AuditFinding(
            row.number, f"The content of record {row.number} is other than what was recorded."
        )
    ]


def says_erased(row: AuditRow) -> bool:
    """Tell whether a record says that others lost their content."""
    try:
        return json.loads(row.payload or "")["kind"] in (ERASURE, EXPIRY)
    except (ValueError, KeyError, TypeError):  # its commitment does not hold either
        return False


def _read_erased(row: AuditRow) -> set[int]:
    """Return the numbers of the records before this one whose payload it says was erased."""
    try:
        ranges = json.loads(row.payload or "")["answer"]["records"] if says_erased(row) else []
        return {
            number
            for first, last in ranges
            for number in range(max(1, int(first)), min(int(last), row.number - 1) + 1)
        }
    except (ValueError, KeyError, TypeError):  # its commitment does not hold either
        return set()


def _missing(first: int, last: int) -> AuditFinding:
    which = f"Record {first} is" if first == last else f"Records {first} to {last} are"
    return AuditFinding(first, f"{which} missing.")
