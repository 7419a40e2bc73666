"""What the gallery was used for, and who verified the answers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from promptreid.serve.bodies.audit_bodies import (
    AuditCheck,
    AuditHeadBody,
    AuditList,
    AuditProblem,
    AuditRecordBody,
    ConfirmationBody,
    ConfirmedAnswer,
)
from promptreid.serve.bodies.change_bodies import LARGEST_NUMBER
from promptreid.serve.problems import documented
from promptreid.serve.routes.caller_rights import SEARCH, Asking, require_right
from promptreid.serve.service import Served, Service

router = APIRouter(prefix="/v1/audit", tags=["audit"])
AUDIT = require_right("audit")


@router.get("", dependencies=[AUDIT], responses=documented())
def list_uses(
    service: Served,
    before: Annotated[
        int, Query(ge=1, le=LARGEST_NUMBER, description="`next` of the page before.")
    ] = LARGEST_NUMBER,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> AuditList:
    """List what the gallery was used for, the latest first, page by page."""
    audit = service.gallery.audit
    head = audit.head()
    last = min(before - 1, head.count)
    records = [
        AuditRecordBody(
            number=record.number,
            time=record.time,
            digest=record.digest,
            content=_hide_place(record.content, service),
        )
        for number in range(last, max(0, last - limit), -1)
        for record in audit.read(number=number)
    ]
    return AuditList(
        is_on=audit.is_on,
        records=records,
        next=last - limit + 1 if last > limit else None,
        head=AuditHeadBody(count=head.count, digest=head.digest),
    )


@router.get("/check", dependencies=[AUDIT], responses=documented())
def check_audit(service: Served) -> AuditCheck:
    """Say whether a record was changed, cut out or exchanged since it was written."""
    audit = service.gallery.audit
    head = audit.head()
    return AuditCheck(
        head=AuditHeadBody(count=head.count, digest=head.digest),
        problems=[AuditProblem(**one.to_dict()) for one in audit.verify()],
    )


@router.post("/{number}/confirm", dependencies=[SEARCH], responses=documented(404))
def confirm_answer(
    service: Served,
    caller: Asking,
    number: Annotated[int, Path(ge=1, le=LARGEST_NUMBER, description="Number of the record.")],
    confirmation: ConfirmationBody,
) -> ConfirmedAnswer:
    """Write down that somebody looked at an answer, and whether it was right."""
    written = service.gallery.audit.confirm(
        number,
        by=confirmation.by,
        right=confirmation.right,
        words=confirmation.words,
        token=caller.name,
    )
    return ConfirmedAnswer(number=written)


def _hide_place(content: dict | None, service: Service) -> dict | None:
    """Name the gallery without where it lies."""
    return None if content is None else {**content, "gallery": service.name}
