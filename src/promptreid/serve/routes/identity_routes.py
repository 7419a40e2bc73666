"""Who is enrolled: listing, naming, merging, splitting, hiding and erasing."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from promptreid.serve.bodies.answer_bodies import (
    EntryBody,
    ErasedAnswer,
    IdentityBody,
    IdentityDetails,
    IdentityList,
)
from promptreid.serve.bodies.change_bodies import (
    LARGEST_NUMBER,
    MergeChange,
    NameChange,
    NoteChange,
    SeenChange,
    SplitChange,
)
from promptreid.serve.problems import documented
from promptreid.serve.routes.caller_rights import ENROL, ERASE, SEARCH, Asking, IfMatch, read_seen
from promptreid.serve.service import Served

router = APIRouter(prefix="/v1/identities", tags=["identities"])
Identity = Annotated[int, Path(ge=1, le=LARGEST_NUMBER, description="Number of the identity.")]
CHANGE = documented(404, 409, 412, 428)


@router.get("", dependencies=[SEARCH], responses=documented())
def list_identities(
    service: Served,
    search: Annotated[
        str, Query(max_length=200, description="Only names and notes that hold these words.")
    ] = "",
    after: Annotated[
        int, Query(ge=0, le=LARGEST_NUMBER, description="`next` of the page before.")
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> IdentityList:
    """List who is enrolled, in the order of enrolment, page by page."""
    page = service.list_identities(search, after=after, limit=limit)
    return IdentityList(
        identities=service.describe_rows(page.rows),
        total=page.total,
        next=page.rows[-1].identity if page.has_more and page.rows else None,
    )


@router.get("/{identity}", dependencies=[SEARCH], responses=documented(404))
def get_identity(service: Served, identity: Identity, response: Response) -> IdentityDetails:
    """Return an identity with its pictures; `ETag` is its version."""
    # The version comes first: of a change in between it is too old, and nothing is overwritten.
    body = service.describe_identity(identity)
    entries = [EntryBody.make(row) for row in service.gallery.entries(identity)]
    response.headers["ETag"] = f'"{body.version}"'
    return IdentityDetails(identity=body, entries=entries)


@router.put("/{identity}/name", dependencies=[ENROL], responses=CHANGE)
def rename(
    service: Served, identity: Identity, change: NameChange, if_match: IfMatch = None
) -> IdentityBody:
    """Give an identity another name."""
    service.gallery.name(identity, change.name, seen=read_seen(change.seen, if_match))
    return service.describe_identity(identity)


@router.put("/{identity}/note", dependencies=[ENROL], responses=CHANGE)
def write_note(
    service: Served, identity: Identity, change: NoteChange, if_match: IfMatch = None
) -> IdentityBody:
    """Write an identity's note."""
    service.gallery.note(identity, change.note, seen=read_seen(change.seen, if_match))
    return service.describe_identity(identity)


@router.post("/{identity}/merge", dependencies=[ENROL], responses=CHANGE)
def merge(
    service: Served, identity: Identity, change: MergeChange, if_match: IfMatch = None
) -> IdentityBody:
    """Put all pictures of an identity under another, which is returned; the first is gone."""
    seen = read_seen(change.seen, if_match)
    service.gallery.merge(identity, change.into, seen=seen)
    return service.describe_identity(change.into)


@router.post("/{identity}/split", dependencies=[ENROL], responses=CHANGE)
def split(
    service: Served, identity: Identity, change: SplitChange, if_match: IfMatch = None
) -> IdentityBody:
    """Put some pictures of an identity under a new one, which is returned."""
    seen = read_seen(change.seen, if_match)
    service.gallery.split(identity, change.entries, change.name, seen=seen)
    return service.describe_identity(change.name.strip())


@router.post("/{identity}/hide", dependencies=[ENROL], responses=CHANGE)
def hide(
    service: Served, identity: Identity, change: SeenChange, if_match: IfMatch = None
) -> IdentityBody:
    """Take an identity out of every answer; `unhide` undoes it."""
    service.gallery.hide(identity, seen=read_seen(change.seen, if_match))
    return service.describe_identity(identity)


@router.post("/{identity}/unhide", dependencies=[ENROL], responses=CHANGE)
def unhide(
    service: Served, identity: Identity, change: SeenChange, if_match: IfMatch = None
) -> IdentityBody:
    """Let an identity answer again."""
    service.gallery.unhide(identity, seen=read_seen(change.seen, if_match))
    return service.describe_identity(identity)


@router.delete("/{identity}", dependencies=[ERASE], responses=CHANGE)
def erase(
    service: Served, caller: Asking, identity: Identity, if_match: IfMatch = None
) -> ErasedAnswer:
    """Remove an identity for good, and prove that no byte of it is left; there is no way back."""
    seen = read_seen(None, if_match)
    erased = service.gallery.erase(identity, seen=seen, asked_by=caller.name)
    return ErasedAnswer(**vars(erased))
