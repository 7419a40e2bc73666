"""Lets in who has a token, before a byte of the request is read."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from promptreid.errors import ConfigError
from promptreid.serve.access_tokens import LOCAL, Caller, TokenBook
from promptreid.serve.problems import log, problem_response

GUARDED = ("/v1/", "/metrics")
"""Beginnings of the addresses that need a token."""

CALLER = "promptreid.caller"

_MISSING = "This needs a token: Authorization: Bearer TOKEN."
_UNKNOWN = "This token is not known here: it was mistyped, replaced or taken back."


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
        try:
            caller = self._find_caller(scope)
        except ConfigError as error:  # the file is being edited, or was taken away
            log.error("%s", error)
            answer = problem_response(
                503,
                "The service cannot read its tokens, so nobody is let in; its log says why.",
            )
            await answer(scope, receive, send)
            return
        if caller is None:
            sent = "authorization" in Headers(scope=scope)
            answer = problem_response(
                401,
                f"{_UNKNOWN if sent else _MISSING} Whoever runs the service makes one: promptreid "
                "serve token.",
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
