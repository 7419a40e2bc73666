"""Counts the bytes of a request while they come, and ends one that is too large or too slow."""

from __future__ import annotations

import asyncio
import time

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from promptreid.serve.problems import problem_response
from promptreid.serve.service_settings import ServiceSettings


class _TooMuchError(Exception):
    """A body is over its limit."""


class _TooSlowError(Exception):
    """A client has fallen silent, or sends so little that it only holds a place."""


SLOWEST = 1024
"""Bytes a second that a client sends at least, beside the seconds that it may be silent."""


class BodyLimit:
    """Lets a route read as many bytes as it may, as long as they keep coming."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings) -> None:
        """Take the limits."""
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, whose body is counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        pictures = headers.get("content-type", "").lower().startswith("multipart/form-data")
        most = self._settings.body_bytes if pictures else self._settings.json_bytes
        declared = headers.get("content-length", "")
        if declared.isascii() and declared.isdigit() and int(declared[:18]) > most:
            await _refuse_size(most)(scope, receive, send)
            return
        seen, waited = 0, 0.0
        failure: Exception | None = None
        complete = started = False

        async def receive_counted() -> Message:
            nonlocal seen, waited, failure, complete
            if complete:  # what may still come is that the client has gone
                return await receive()
            silence, begun = self._settings.body_seconds, time.monotonic()
            try:
                async with asyncio.timeout(min(silence, silence + seen / SLOWEST - waited)):
                    message = await receive()
            except TimeoutError:
                failure = _TooSlowError()
                raise failure from None
            waited += time.monotonic() - begun
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > most:
                    failure = _TooMuchError()
                    raise failure
                complete = not message.get("more_body", False)
            return message

        async def send_or_not(message: Message) -> None:
            nonlocal started
            if failure is not None and not started:
                return  # what the framework says of the interruption is not what happened
            started = True
            await send(message)

        try:
            await self._app(scope, receive_counted, send_or_not)
        except (_TooMuchError, _TooSlowError):
            if started:
                raise
        if failure is not None and not started:
            if isinstance(failure, _TooMuchError):
                answer = _refuse_size(most)
            else:
                answer = problem_response(
                    408,
                    f"Nothing came for {self._settings.body_seconds:g} s, or less than {SLOWEST:,} "
                    "bytes a second, and the request is not complete. Nothing was done; send it "
                    "again.",
                    headers={"Connection": "close"},
                )
            await answer(scope, receive, send)


def _refuse_size(most: int) -> Response:
    return problem_response(
        413,
        f"The request is larger than {most:,} bytes, which is all that is taken here. Send fewer "
        "or smaller pictures at a time, or shorter words.",
        headers={"Connection": "close"},
    )
