"""The gallery as a whole: what it holds and promises, and everything of it as one archive."""

from __future__ import annotations

import contextlib
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse

from promptreid.gallery.gallery_errors import ModelSwitchedError
from promptreid.inference.text_side import find_text_width
from promptreid.serve.bodies.change_bodies import LARGEST_NUMBER
from promptreid.serve.bodies.service_bodies import AbilitiesBody, GalleryInfo, LimitsBody
from promptreid.serve.exported_archive import write_archive
from promptreid.serve.problems import documented
from promptreid.serve.rights import RIGHTS
from promptreid.serve.routes.caller_rights import ENROL, Asking
from promptreid.serve.service import Served
from promptreid.version import __version__

router = APIRouter(prefix="/v1", tags=["gallery"])
_ZIP = {200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}}


@router.get("/info", responses=documented())
def get_info(service: Served, caller: Asking) -> GalleryInfo:
    """Say what the gallery holds, what it can promise, and what the caller may do."""
    embedder = service.served.embedder
    with contextlib.suppress(ModelSwitchedError):  # what there is can be told without the model
        embedder = service.follow_model().embedder
    facts, settings = service.gallery.info(), service.settings
    return GalleryInfo(
        gallery=service.name,
        version=__version__,
        model=facts.fingerprint,
        entries=facts.entries,
        hidden=facts.hidden,
        identities=facts.identities,
        calibrating=facts.calibrating,
        aggregate=facts.aggregate,
        keep=facts.keep,
        rate=facts.rate,
        least_rate=facts.least_rate,
        accepting_score=facts.accepting_score,
        needed=facts.needed,
        caller=caller.name,
        rights=[right for right in RIGHTS if right in caller.rights],
        limits=LimitsBody(
            request_bytes=settings.body_bytes,
            pictures=settings.pictures,
            picture_pixels=settings.picture_pixels,
        ),
        abilities=AbilitiesBody(
            verify=service.gallery.threshold is not None,
            activation=embedder is not None,
            text=embedder is not None and find_text_width(embedder) is not None,
            audit=service.gallery.audit.is_on,
        ),
    )


@router.get(
    "/export",
    dependencies=[ENROL],
    response_class=Response,
    responses={**documented(404), **_ZIP},
)
def export(
    service: Served,
    identity: Annotated[
        int | None, Query(ge=1, le=LARGEST_NUMBER, description="Only this one, by number.")
    ] = None,
) -> Response:
    """Return pictures and a table of them, which `csv:` reads as a data set, as one ZIP."""
    name = None if identity is None else service.gallery.identity(identity).name
    return StreamingResponse(
        write_archive(service.gallery, name),
        media_type="application/zip",
        headers={"Content-Disposition": 'attachment; filename="gallery.zip"'},
    )
