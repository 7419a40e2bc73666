"""Enrolling pictures."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form
from fastapi.responses import Response

from promptreid.gallery.enrolment import EnrolledImage
from promptreid.gallery.searching.filters import parse_time
from promptreid.serve.bodies.answer_bodies import EnrolAnswer, EnrolledPicture
from promptreid.serve.bodies.change_bodies import Name
from promptreid.serve.problems import documented
from promptreid.serve.routes.caller_rights import ENROL
from promptreid.serve.routes.picture_fields import Known, Pictures, Time, as_images, reading
from promptreid.serve.service import Served

router = APIRouter(prefix="/v1", tags=["enrol"], dependencies=[ENROL])
_NEW = {201: {"model": EnrolAnswer, "description": "Some of them are enrolled now."}}


@router.post("/entries", responses={**documented(), **_NEW})
def enrol(
    service: Served,
    response: Response,
    pictures: Pictures,
    identity: Annotated[Name, Form(description="Name of who the pictures show; made if new.")],
    known: Known,
    time: Time = None,
) -> EnrolAnswer:
    """Enrol pictures of one identity; what is answered is on the disk.

    The same content is enrolled once, whatever it is called, so that a request may be sent again
    when its answer was lost. The arguments are the fields of the form.
    """
    with reading(pictures, service) as sent:
        taken = None if time is None else parse_time(time)
        images = as_images(sent, time=taken, **known)
        names = [one.name for one in sent]
        done = service.ask(lambda gallery: gallery.add(images, [identity] * len(images)))
    response.status_code = 201 if done.added else 200
    return EnrolAnswer(
        added=done.added,
        present=done.present,
        pictures=[
            EnrolledPicture(
                picture=name,
                entry=image.entry,
                status=_name_status(image, identity.strip()),
                identity=image.identity,
            )
            for name, image in zip(names, done.images, strict=True)
        ],
    )


def _name_status(
    image: EnrolledImage, identity: str
) -> Literal["enrolled", "present", "other identity", "refused"]:
    if image.entry is None:
        return "refused"
    if image.identity != identity:
        return "other identity"
    return "enrolled" if image.is_new else "present"
