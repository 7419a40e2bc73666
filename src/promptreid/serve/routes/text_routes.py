"""Looking for somebody by words, alone or beside a picture."""

from __future__ import annotations

import contextlib
from typing import Annotated

from fastapi import APIRouter, File, Form, UploadFile

from promptreid.gallery.texts.text_search import TextQuery
from promptreid.serve.bodies.change_bodies import LONGEST_NAME
from promptreid.serve.bodies.text_bodies import TextSearchAnswer
from promptreid.serve.problems import documented
from promptreid.serve.routes.caller_rights import SEARCH, Asking
from promptreid.serve.routes.picture_fields import Known, Top, Wanted, as_images, reading
from promptreid.serve.service import Served

router = APIRouter(prefix="/v1", tags=["search"], dependencies=[SEARCH])
Sentence = Annotated[
    str,
    Form(
        min_length=1,
        max_length=LONGEST_NAME,
        description='What the pictures show, such as "a person in a red coat".',
    ),
]
Weight = Annotated[
    float,
    Form(ge=0, le=1, allow_inf_nan=False, description="Share of the words beside a picture."),
]


@router.post("/search/text", responses=documented(404))
def search_text(
    service: Served,
    caller: Asking,
    text: Sentence,
    known: Known,
    filters: Wanted,
    picture: Annotated[UploadFile | None, File(description="A picture to look for, too.")] = None,
    weight: Weight = 0.5,
    top: Top = 5,
    by_identity: Annotated[bool, Form(description="Name each identity once.")] = True,
) -> TextSearchAnswer:
    """Rank who is enrolled by words; whether nobody fits is not decided.

    The arguments are the fields of the form.
    """
    uploads = [] if picture is None else [picture]
    with reading(uploads, service) if uploads else contextlib.nullcontext([]) as sent:
        image = next(iter(as_images(sent, **known)), None)
        answer = service.ask(
            lambda gallery: gallery.search_text(
                TextQuery(text, image=image, weight=weight),
                top=top,
                filters=filters,
                by_identity=by_identity,
                asked_by=caller.name,
            )
        )
    entries = service.gallery.entry_rows([one.entry for one in answer.candidates])
    return TextSearchAnswer.make(answer, {row.entry: row for row in entries})
