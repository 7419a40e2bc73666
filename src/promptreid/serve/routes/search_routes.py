"""Who does a picture show? Which pictures are alike? Do two show the same?"""

from __future__ import annotations

from fastapi import APIRouter

from promptreid.serve.bodies.answer_bodies import (
    AnswerBody,
    NearestAnswer,
    PairAnswer,
    SearchAnswer,
)
from promptreid.serve.problems import documented
from promptreid.serve.routes.caller_rights import SEARCH, Asking
from promptreid.serve.routes.picture_fields import (
    Camera,
    Known,
    Picture,
    Pictures,
    Rate,
    Top,
    Wanted,
    as_images,
    reading,
)
from promptreid.serve.service import Served

router = APIRouter(prefix="/v1", tags=["search"], dependencies=[SEARCH])


@router.post("/search", responses=documented(404))
def search(
    service: Served,
    caller: Asking,
    pictures: Pictures,
    known: Known,
    filters: Wanted,
    top: Top = 5,
    rate: Rate = None,
) -> SearchAnswer:
    """Say who each picture shows, or nobody, and how sure that is.

    The arguments are the fields of the form.
    """
    with reading(pictures, service) as sent:
        images = as_images(sent, **known)
        answers = service.ask(
            lambda gallery: gallery.search(
                images, top=top, filters=filters, rate=rate, asked_by=caller.name
            )
        )
        names = [one.name for one in sent]
    wanted = {one.entry for answer in answers for one in answer.candidates[:top]}
    entries = {row.entry: row for row in service.gallery.entry_rows(sorted(wanted))}
    return SearchAnswer(
        answers=[
            AnswerBody.make(name, answer, entries, top=top)
            for name, answer in zip(names, answers, strict=True)
        ]
    )


@router.post("/nearest", responses=documented(404))
def find_nearest(
    service: Served,
    caller: Asking,
    pictures: Pictures,
    known: Known,
    filters: Wanted,
    top: Top = 20,
) -> NearestAnswer:
    """Return the enrolled pictures that are most alike to each that is sent.

    The arguments are the fields of the form.
    """
    with reading(pictures, service) as sent:
        images = as_images(sent, **known)
        near = service.ask(
            lambda gallery: gallery.nearest(images, top=top, filters=filters, asked_by=caller.name)
        )
        return NearestAnswer.make(near)


@router.post("/verify", responses=documented())
def verify(
    service: Served,
    caller: Asking,
    first: Picture,
    second: Picture,
    first_camera: Camera = None,
    second_camera: Camera = None,
) -> PairAnswer:
    """Say whether two pictures show one identity, whoever is enrolled."""
    service.follow_model()
    with reading([first, second], service) as sent:
        images = [
            as_images([one], camera=camera)[0]
            for one, camera in zip(sent, (first_camera, second_camera), strict=True)
        ]
        pair = service.gallery.verify(*images, asked_by=caller.name)
    return PairAnswer(
        same=pair.same,
        score=pair.score,
        threshold=pair.threshold,
        far=pair.far,
        rarity=pair.rarity or "",
    )
