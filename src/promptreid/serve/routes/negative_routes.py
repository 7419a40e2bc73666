"""Saying "not this person": pictures that an identity must not be taken for."""

from __future__ import annotations

import contextlib
from typing import Annotated

from fastapi import APIRouter, File, Form, Path, UploadFile

from promptreid.serve.bodies.answer_bodies import CountAnswer
from promptreid.serve.bodies.change_bodies import LARGEST_NUMBER, Number, Version
from promptreid.serve.bodies.negative_bodies import NegativeBody, NegativeList, NegativeNumbers
from promptreid.serve.problems import documented
from promptreid.serve.routes.caller_rights import ENROL, SEARCH, IfMatch, read_seen
from promptreid.serve.routes.picture_fields import as_images, reading
from promptreid.serve.service import Served

router = APIRouter(prefix="/v1", tags=["negatives"])
Identity = Annotated[int, Path(ge=1, le=LARGEST_NUMBER, description="Number of the identity.")]
Negative = Annotated[int, Path(ge=1, le=LARGEST_NUMBER, description="Number of the example.")]


@router.get("/identities/{identity}/negatives", dependencies=[SEARCH], responses=documented(404))
def list_negatives(service: Served, identity: Identity) -> NegativeList:
    """List the pictures that an identity must not be taken for."""
    return NegativeList(
        negatives=[
            NegativeBody(negative=one.negative, entry=one.entry, shows=one.shows)
            for one in service.gallery.negatives(identity)
        ]
    )


@router.post(
    "/identities/{identity}/negatives",
    dependencies=[ENROL],
    responses=documented(404, 412, 428),
)
def add_negatives(
    service: Served,
    identity: Identity,
    pictures: Annotated[
        list[UploadFile] | None, File(description="Pictures that do not show the identity.")
    ] = None,
    entries: Annotated[
        list[Number] | None, Form(description="Entries of others that are mistaken for it.")
    ] = None,
    seen: Annotated[Version | None, Form(description="The version that was looked at.")] = None,
    if_match: IfMatch = None,
) -> NegativeNumbers:
    """Say that pictures, or entries of others, do not show an identity."""
    version = read_seen(seen, if_match)
    uploads = pictures or []
    with reading(uploads, service) if uploads else contextlib.nullcontext([]) as sent:
        images = as_images(sent)
        numbers = service.ask(
            lambda gallery: gallery.add_negatives(identity, images, entries or (), seen=version)
        )
    return NegativeNumbers(negatives=numbers)


@router.delete("/negatives/{negative}", dependencies=[ENROL], responses=documented(404))
def remove_negative(service: Served, negative: Negative) -> CountAnswer:
    """Take back that a picture does not show an identity."""
    service.gallery.remove_negatives([negative])
    return CountAnswer(entries=1)
