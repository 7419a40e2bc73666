"""Everything that can go wrong, as an answer in words: RFC 9457, `application/problem+json`."""

from __future__ import annotations

import http
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from promptreid.errors import PromptReIDError
from promptreid.gallery.gallery_errors import (
    ChangedSinceError,
    ModelSwitchedError,
    NameTakenError,
    NotEnrolledError,
    StoreFailedError,
    StoreInUseError,
)
from promptreid.serve.model_worker import ModelBusyError
from promptreid.serve.sent_pictures import TooLargeError
from promptreid.text.lists import counted

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1
"""After how many seconds a client that was sent away may come again."""

_STATUS_BY_ERROR: Mapping[type[PromptReIDError], int] = {
    NotEnrolledError: 404,
    NameTakenError: 409,
    ChangedSinceError: 412,
    TooLargeError: 413,
    StoreInUseError: 503,
    ModelSwitchedError: 503,
    ModelBusyError: 503,
    StoreFailedError: 507,
}
_OTHER_MISTAKE = 422
_MEANINGS = {
    400: "The request is not well formed.",
    401: "No token was sent, or one that is not known.",
    403: "The token has no right to do this, or another site sent the request.",
    404: "There is no such identity, entry or page.",
    405: "The address does not take this method.",
    408: "The client was silent for too long while it sent.",
    409: "Another identity has the name.",
    412: "Somebody has changed it since it was looked at.",
    413: "The request or a picture is too large.",
    421: "The request means another host.",
    422: "What was sent cannot be used as asked.",
    428: "The change must say which version was looked at.",
    429: "Too many requests are waiting; try again after Retry-After.",
    500: "A failure of the service; its log says more.",
    503: "The service is busy or stopping; try again after Retry-After.",
    507: "The disk of the gallery is full or fails.",
}
_ALWAYS = (400, 401, 403, 408, 413, 421, 422, 429, 503, 507)

log = logging.getLogger("promptreid.serve")


class WrongField(BaseModel):
    """One part of a request that is wrong."""

    where: str = Field(description="Which part, such as `body.name`.")
    what: str = Field(description="What is wrong with it, as a sentence.")


class Problem(BaseModel):
    """Why there is no answer."""

    title: str = Field(description="The status in words.")
    status: int = Field(description="The status.")
    detail: str = Field(description="What is wrong and what to do, in sentences.")
    problems: list[WrongField] = Field(default=[], description="The parts that are wrong.")


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the problems that a route may answer with, as OpenAPI describes them."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": _MEANINGS[status], "content": content}
        for status in sorted({*_ALWAYS, *statuses})
    }


def problem_response(
    status: int,
    detail: str,
    problems: list[WrongField] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Make the answer that says what is wrong."""
    body = Problem(
        title=http.HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        problems=problems or [],
    )
    extra = dict(headers or {})
    if status in (429, 503):
        extra.setdefault("Retry-After", str(RETRY_SECONDS))
    # Escaped, so that a lone surrogate of a client's name comes back as it was sent.
    content = json.dumps(body.model_dump(exclude_defaults=True))
    return Response(content, status, extra, MEDIA_TYPE)


def explain_problems(app: FastAPI) -> None:
    """Let an application answer every error in words."""
    app.exception_handler(PromptReIDError)(_explain_mistake)
    app.exception_handler(RequestValidationError)(_explain_fields)
    app.exception_handler(HTTPException)(_explain_status)
    app.exception_handler(Exception)(_explain_failure)


async def _explain_mistake(request: Request, error: PromptReIDError) -> Response:
    status = next(
        (code for kind, code in _STATUS_BY_ERROR.items() if isinstance(error, kind)),
        _OTHER_MISTAKE,
    )
    records = request.app.state.service.gallery.records
    # Where the gallery lies is nobody's business.
    return problem_response(status, str(error).replace(records.place, Path(records.place).name))


async def _explain_fields(request: Request, error: RequestValidationError) -> Response:
    problems = [
        WrongField(where=".".join(str(part) for part in one["loc"]), what=_say_wrong(one))
        for one in error.errors()
    ]
    first, more = problems[0], ""
    if len(problems) > 1:
        more = f" {counted(len(problems) - 1, 'more part')} of the request cannot be taken either."
    return problem_response(422, f"{first.where}: {first.what}{more}", problems)


async def _explain_status(request: Request, error: HTTPException) -> Response:
    phrase = http.HTTPStatus(error.status_code).phrase
    detail = str(error.detail)
    if detail == phrase:  # what the framework says where there is no more to it
        detail = f"{phrase}: {request.method} {request.url.path}. GET /docs lists what there is."
    return problem_response(error.status_code, _sentence(detail), headers=error.headers)


async def _explain_failure(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem_response(500, "The service failed at this request; its log says how.")


def _say_wrong(fault: Mapping[str, Any]) -> str:
    """Say what is wrong with one part of a request."""
    if fault["type"] == "json_invalid":
        return _sentence(f"it is no JSON: {fault.get('ctx', {}).get('error', 'broken')}")
    if "UploadFile" in fault["msg"]:
        return "A file is expected here, with a file name; a text was sent."
    return _sentence(fault["msg"].removeprefix("Value error, "))


def _sentence(words: str) -> str:
    start = words[:1].upper() + words[1:]
    return start if start.endswith((".", "!", "?")) else f"{start}."
