"""Which right a route asks of its caller, and which version a change was made from."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import Depends, Header, HTTPException, Request

from promptreid.serve.access_tokens import Caller
from promptreid.serve.guards.token_guard import CALLER


def get_caller(request: Request) -> Caller:
    """Return who sent a request."""
    return request.scope[CALLER]


Asking = Annotated[Caller, Depends(get_caller)]


def require_right(right: str) -> Any:
    """Return the dependency of a route that refuses a caller who has not a right, with 403."""

    def check_caller(caller: Asking) -> None:
        if right not in caller.rights:
            raise HTTPException(
                403,
                f"The token {caller.name!r} has no right to {right} here; it has "
                f"{', '.join(sorted(caller.rights)) or 'none'}.",
            )

    return Depends(check_caller)


SEARCH = require_right("search")
ENROL = require_right("enrol")
ERASE = require_right("erase")

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description='The version that was looked at, such as `"12"`; `*` for whatever is there.',
    ),
]


def read_seen(seen: int | None, if_match: str | None) -> int | None:
    """Return the version that a change was made from; None where any is as good.

    Raises:
        HTTPException: 428 where none is named, 400 where `If-Match` is none or names another.
    """
    if if_match is None:
        if seen is None:
            raise HTTPException(
                428,
                "Say which version you looked at, by `seen` or If-Match, so that nobody's change "
                "is lost; If-Match: * changes whatever is there.",
            )
        return seen
    if if_match.strip() == "*":
        return seen
    number = re.fullmatch(r'\s*(?:W/)?"?([0-9]{1,15})"?\s*', if_match, re.ASCII)
    if number is None or seen not in (None, int(number[1])):
        raise HTTPException(
            400, 'If-Match is a version such as "12", or *, and the same as `seen` in the body.'
        )
    return int(number[1])
