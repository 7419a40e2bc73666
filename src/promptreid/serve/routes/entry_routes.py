"""Single enrolled pictures: what is known of them, their pixels, hiding and erasing."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from promptreid.gallery.gallery_errors import NotEnrolledError
from promptreid.serve.bodies.answer_bodies import CountAnswer, EntryBody, ErasedAnswer
from promptreid.serve.bodies.change_bodies import LARGEST_NUMBER, EntriesChange
from promptreid.serve.entry_pictures import decoding_entry, make_thumbnail, read_entry
from promptreid.serve.problems import documented
from promptreid.serve.routes.caller_rights import ENROL, ERASE, SEARCH, Asking
from promptreid.serve.service import Served

router = APIRouter(prefix="/v1/entries", tags=["entries"])
Entry = Annotated[int, Path(ge=1, le=LARGEST_NUMBER, description="Number of the entry.")]
_PIXELS = {200: {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}}
_JPEG = {200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}}


@router.get("/{entry}", dependencies=[SEARCH], responses=documented(404))
def get_entry(service: Served, entry: Entry) -> EntryBody:
    """Return what is known of an entry."""
    rows = service.gallery.entry_rows([entry])
    if not rows:
        raise NotEnrolledError(f"There is no entry {entry}.")
    return EntryBody.make(rows[0])


@router.get(
    "/{entry}/picture",
    dependencies=[SEARCH],
    response_class=Response,
    responses={**documented(404), **_PIXELS},
)
def get_picture(service: Served, entry: Entry) -> Response:
    """Return an entry's picture as it was enrolled."""
    picture = service.gallery.picture(entry)
    content, media_type = read_entry(picture, service.budget, service.settings)
    return Response(content, media_type=media_type)


@router.get(
    "/{entry}/thumbnail",
    dependencies=[SEARCH],
    response_class=Response,
    responses={**documented(404), **_JPEG},
)
def get_thumbnail(
    service: Served,
    entry: Entry,
    size: Annotated[int, Query(ge=16, le=1024, description="Pixels of the longer side.")] = 256,
) -> Response:
    """Return an entry's picture made small, without its tags, as JPEG."""
    picture = service.gallery.picture(entry)
    with decoding_entry(picture, service.budget, service.settings) as pixels:
        return Response(make_thumbnail(pixels, size), media_type="image/jpeg")


@router.post("/hide", dependencies=[ENROL], responses=documented(404))
def hide_entries(service: Served, change: EntriesChange) -> CountAnswer:
    """Take single pictures out of every answer; `unhide` undoes it."""
    return CountAnswer(entries=service.gallery.hide(entries=change.entries))


@router.post("/unhide", dependencies=[ENROL], responses=documented(404))
def unhide_entries(service: Served, change: EntriesChange) -> CountAnswer:
    """Let single pictures answer again."""
    return CountAnswer(entries=service.gallery.unhide(entries=change.entries))


@router.post("/erase", dependencies=[ERASE], responses=documented(404))
def erase_entries(service: Served, caller: Asking, change: EntriesChange) -> ErasedAnswer:
    """Remove single pictures for good, and prove it; there is no way back."""
    erased = service.gallery.erase(entries=change.entries, asked_by=caller.name)
    return ErasedAnswer(**vars(erased))
