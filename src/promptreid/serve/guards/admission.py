"""Takes so many requests at a time, and sends others away at once."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from promptreid.serve.problems import problem_response
from promptreid.serve.service_metrics import ServiceMetrics

ADMITTED = "/v1/"
"""Beginning of the addresses that cost something; the others are always answered."""


class Admission:
    """A bounded queue: what is beyond it is told to come again, before its body is read."""

    def __init__(self, app: ASGIApp, requests: int, metrics: ServiceMetrics) -> None:
        """Take how many requests may be there."""
        self._app = app
        self._requests = requests
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on if there is room."""
        if scope["type"] != "http" or not scope["path"].startswith(ADMITTED):
            await self._app(scope, receive, send)
            return
        if self._metrics.inside >= self._requests:
            answer = problem_response(
                429,
                f"{self._requests} requests are at work or wait, which is all the service takes. "
                "Try again after Retry-After seconds.",
            )
            await answer(scope, receive, send)
            return
        self._metrics.inside += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._metrics.inside -= 1
