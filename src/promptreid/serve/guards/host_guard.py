"""Refuses requests that a browser was tricked into, and tells browsers what a page may do."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from promptreid.serve.problems import problem_response
from promptreid.text.safe import visible

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""What a page of the service may load: its own files, and pictures that it holds already."""

WATCHED = ("/health", "/ready")
"""Addresses that answer by any name: who watches a service calls it by a number, and they tell
nothing of what it holds."""

_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class HostGuard:
    """Passes on what is meant for this host and was not sent by a page of another site.

    A page elsewhere can make a browser send requests here, and by a name of its own that it lets
    point here (DNS rebinding) even read the answers. It cannot choose `Host`, `Origin` and
    `Sec-Fetch-Site`.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None) -> None:
        """Take the names that a request may give; None for any."""
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    given.setdefault(name, value)
            await send(message)

        refusal = self._find_refusal(headers, scope)
        if refusal is None:
            await self._app(scope, receive, send_guarded)
        else:
            await problem_response(*refusal)(scope, receive, send_guarded)

    def _find_refusal(self, headers: Headers, scope: Scope) -> tuple[int, str] | None:
        given = headers.get("host", "")
        host = _host_name(given)
        if self._hosts is not None and host not in self._hosts and scope["path"] not in WATCHED:
            return 421, (
                f"This service does not answer to the host {visible(given)[:80]!r}. Use one of "
                f"{', '.join(sorted(self._hosts))}; promptreid serve --allow-host adds another."
            )
        origin = headers.get("origin")
        if origin is not None and _find_place(origin) != given:
            return 403, (
                f"A page of {visible(origin)[:80]} sent this request; only pages of this service "
                "may."
            )
        site = headers.get("sec-fetch-site", "none")
        opened = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
        if site not in ("none", "same-origin") and not opened:
            return 403, "A page of another site sent this request; only pages of this service may."
        return None


def _host_name(given: str) -> str:
    """Return the name in a `Host` header, without the port."""
    if given.startswith("["):
        return given.partition("]")[0] + "]"
    return given.partition(":")[0].lower()


def _find_place(origin: str) -> str | None:
    """Return host and port of an origin; None where it has none."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None
