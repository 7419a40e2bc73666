"""Lets in who has a token, before a byte of the request is read."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from promptreid.serve.access_tokens import LOCAL, Caller, TokenBook
from promptreid.serve.problems import problem_response

GUARDED = ("/v1/", "/metrics")
"""Beginnings of the addresses that need a token."""

CALLER = "promptreid.caller"


class TokenGuard:
    """Finds who sends a request; without tokens it is whoever uses this machine."""

    def __init__(self, app: ASGIApp, tokens: TokenBook | None) -> None:
        """Take the tokens; None where none are needed."""
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on with its caller."""
        if scope["type"] != "http" or not scope["path"].startswith(GUARDED):
            await self._app(scope, receive, send)
            return
        caller = self._find_caller(scope)
        if caller is None:
            answer = problem_response(
                401,
                "This needs a token: Authorization: Bearer TOKEN. Whoever runs the service makes "
                "one: promptreid serve token.",
                headers={"WWW-Authenticate": "Bearer"},
            )
            await answer(scope, receive, send)
            return
        scope[CALLER] = caller
        await self._app(scope, receive, send)

    def _find_caller(self, scope: Scope) -> Caller | None:
        if self._tokens is None:
            return LOCAL
        self._tokens.refresh()
        kind, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
        return self._tokens.find(token.strip()) if kind.lower() == "bearer" else None
