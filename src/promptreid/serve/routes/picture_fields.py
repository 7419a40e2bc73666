"""Fields that come beside pictures in a form, and the pictures as a gallery takes them."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from typing import Annotated, Any

from fastapi import Depends, File, Form, UploadFile
from pydantic import Json

from promptreid.errors import DataError
from promptreid.gallery.searching.filters import Filters, parse_time
from promptreid.gallery.vector_model import GalleryImage
from promptreid.serve.bodies.change_bodies import Name, Text
from promptreid.serve.sent_pictures import SentFile, SentPicture, TooLargeError, decoding
from promptreid.serve.service import Service

Pictures = Annotated[
    list[UploadFile], File(description="Image files: JPEG, PNG, WebP, BMP, TIFF, GIF or AVIF.")
]
Picture = Annotated[UploadFile, File(description="An image file.")]
Camera = Annotated[Name | None, Form(description="The camera that took the pictures.")]
View = Annotated[Name | None, Form(description="The view, which some models read.")]
Domain = Annotated[Name | None, Form(description="Where the pictures come from.")]
Time = Annotated[
    Name | None,
    Form(description="When: ISO 8601, UTC unless it names a zone, or seconds since 1970."),
]
Attributes = Annotated[
    Json[dict[Name, Text]] | None,
    Form(description='Free attributes as JSON: `{"coat": "red"}`.'),
]
Identities = Annotated[list[Name] | None, Form(description="Look only among these, by name.")]
Cameras = Annotated[list[Name] | None, Form(description="Look only among pictures of these.")]
Domains = Annotated[list[Name] | None, Form(description="Look only among pictures of these.")]
Since = Annotated[Name | None, Form(description="Only pictures from this time on, as `time`.")]
Until = Annotated[Name | None, Form(description="Only pictures up to this time, as `time`.")]
WantedAttributes = Annotated[
    Json[dict[Name, list[Text]]] | None,
    Form(description='Only pictures with one of these values: `{"coat": ["red", "brown"]}`.'),
]
OtherCameras = Annotated[bool, Form(description="Leave out pictures of the query's own camera.")]
Rate = Annotated[
    float | None,
    Form(
        gt=0,
        lt=1,
        allow_inf_nan=False,
        description="The part of strangers that may be accepted.  [default: the gallery's]",
    ),
]
Top = Annotated[int, Form(ge=1, le=200, description="How many are named.")]


async def read_filters(
    identities: Identities = None,
    cameras: Cameras = None,
    domains: Domains = None,
    since: Since = None,
    until: Until = None,
    wanted_attributes: WantedAttributes = None,
    other_cameras: OtherCameras = False,
) -> Filters:
    """Read from a form which enrolled pictures may answer.

    Raises:
        GalleryError: A time is none.
    """
    return Filters(
        identities=identities or None,
        cameras=cameras or None,
        domains=domains or None,
        since=None if since is None else parse_time(since),
        until=None if until is None else parse_time(until),
        attributes=wanted_attributes or {},
        other_cameras=other_cameras,
    )


async def read_known(
    camera: Camera = None,
    view: View = None,
    domain: Domain = None,
    attributes: Attributes = None,
) -> dict[str, Any]:
    """Read from a form what is known of the pictures that are sent with it."""
    return {
        "camera": camera,
        "view": view,
        "domain": domain or "",
        "attributes": attributes or {},
    }


Wanted = Annotated[Filters, Depends(read_filters)]
Known = Annotated[dict[str, Any], Depends(read_known)]


@contextlib.contextmanager
def reading(uploads: Sequence[UploadFile], service: Service) -> Generator[list[SentPicture]]:
    """Give the pictures of a form, decoded.

    Raises:
        TooLargeError: They are too many or too large.
        DataError: One is no picture.
    """
    most = service.settings.pictures
    if len(uploads) > most:
        raise TooLargeError(f"{len(uploads)} pictures were sent; {most} are taken at a time.")
    if not uploads:
        raise DataError("No picture was sent; send at least one as `pictures`.")
    files = [SentFile.named(upload.filename, upload.file.read()) for upload in uploads]
    with decoding(files, service.budget, service.settings) as pictures:
        yield pictures


def as_images(pictures: Sequence[SentPicture], **known: Any) -> list[GalleryImage]:
    """Make images of pictures, of all of which the same is known."""
    return [GalleryImage(one.pixels, file=one.content, **known) for one in pictures]
