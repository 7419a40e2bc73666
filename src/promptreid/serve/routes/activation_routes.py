"""Where the model looks: activation maps of pictures that are sent or enrolled."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Path
from fastapi.responses import Response
from numpy.typing import NDArray

from promptreid.serve.activation_pictures import draw_activation_picture
from promptreid.serve.bodies.change_bodies import LARGEST_NUMBER
from promptreid.serve.entry_pictures import decoding_entry
from promptreid.serve.problems import documented
from promptreid.serve.routes.caller_rights import SEARCH
from promptreid.serve.routes.picture_fields import Picture
from promptreid.serve.sent_pictures import SentFile, decoding
from promptreid.serve.service import Served, Service

router = APIRouter(prefix="/v1", tags=["search"], dependencies=[SEARCH])
_PNG = {200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}}


@router.post("/activation", response_class=Response, responses={**documented(), **_PNG})
def draw_activation(service: Served, picture: Picture) -> Response:
    """Lay the activation map of the model over a picture, as PNG."""
    file = SentFile.named(picture.filename, picture.file.read())
    with decoding([file], service.budget, service.settings) as [sent]:
        return _draw(service, sent.pixels)


@router.get(
    "/entries/{entry}/activation", response_class=Response, responses={**documented(404), **_PNG}
)
def draw_entry_activation(
    service: Served,
    entry: Annotated[int, Path(ge=1, le=LARGEST_NUMBER, description="Number of the entry.")],
) -> Response:
    """Lay the activation map of the model over an enrolled picture, as PNG."""
    picture = service.gallery.picture(entry)
    with decoding_entry(picture, service.budget, service.settings) as pixels:
        return _draw(service, pixels)


def _draw(service: Service, pixels: NDArray[np.uint8]) -> Response:
    embedder = service.follow_model().embedder
    png = service.worker.run(lambda: draw_activation_picture(embedder, pixels))
    return Response(png, media_type="image/png")
