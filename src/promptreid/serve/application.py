"""The service as one ASGI application: guards in front, routes behind, the page at its root."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio.to_thread
from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles

from promptreid.serve.access_tokens import TokenBook
from promptreid.serve.api_docs import DOCS_POLICY, render_docs
from promptreid.serve.guards.admission import Admission
from promptreid.serve.guards.body_limit import BodyLimit
from promptreid.serve.guards.host_guard import HostGuard
from promptreid.serve.guards.token_guard import TokenGuard
from promptreid.serve.problems import Problem, explain_problems
from promptreid.serve.routes import (
    activation_routes,
    audit_routes,
    enrol_routes,
    entry_routes,
    gallery_routes,
    health_routes,
    identity_routes,
    negative_routes,
    search_routes,
    text_routes,
)
from promptreid.serve.service import Service
from promptreid.serve.service_metrics import Counting
from promptreid.version import __version__

PAGE = Path(__file__).parent / "page"
"""The files of the page; `index.html` is the page itself."""

_ROUTES = (
    search_routes,
    text_routes,
    activation_routes,
    enrol_routes,
    identity_routes,
    entry_routes,
    negative_routes,
    gallery_routes,
    audit_routes,
    health_routes,
)


def create_app(service: Service, tokens: TokenBook | None = None) -> FastAPI:
    """Build the application of a service.

    Args:
        service: The gallery, the model and the limits.
        tokens: Who may do what; None lets everybody do everything.
    """

    @contextlib.asynccontextmanager
    async def stop_afterwards(app: FastAPI) -> AsyncGenerator[None]:
        # Every request that was let in has a thread; none waits for one unseen.
        limiter = anyio.to_thread.current_default_thread_limiter()
        limiter.total_tokens = service.settings.requests + 8
        yield
        await anyio.to_thread.run_sync(service.stop)

    app = FastAPI(
        title="promptreid",
        version=__version__,
        description="Who is this? A gallery of enrolled pictures that answers, or says nobody.",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_name_operation,
        lifespan=stop_afterwards,
    )
    app.state.service = service
    explain_problems(app)
    for routes in _ROUTES:
        app.include_router(routes.router)
    _add_pages(app)
    _describe(app, tokens)
    settings = service.settings
    app.add_middleware(BodyLimit, settings=settings)
    app.add_middleware(Admission, requests=settings.requests, metrics=service.metrics)
    app.add_middleware(TokenGuard, tokens=tokens)
    app.add_middleware(HostGuard, hosts=settings.hosts)
    app.add_middleware(Counting, metrics=service.metrics)
    return app


def _add_pages(app: FastAPI) -> None:
    """Add the page at `/`, its files below `/page`, and the description of the routes."""

    @app.get("/docs", include_in_schema=False)
    def get_docs() -> Response:
        headers = {"Content-Security-Policy": DOCS_POLICY}
        return HTMLResponse(render_docs(app.openapi()), headers=headers)

    @app.get("/", include_in_schema=False)
    def get_page() -> Response:
        index = PAGE / "index.html"
        return FileResponse(index) if index.is_file() else RedirectResponse("/docs")

    if PAGE.is_dir():
        app.mount("/page", StaticFiles(directory=PAGE), name="page")


def _describe(app: FastAPI, tokens: TokenBook | None) -> None:
    """Complete what OpenAPI says: the shape of problems, and the token."""
    make = app.openapi

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            description = make()
            parts = description.setdefault("components", {})
            schemas = parts.setdefault("schemas", {})
            problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= problem.pop("$defs", {})
            schemas["Problem"] = problem
            if tokens is not None:
                parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
                description["security"] = [{"token": []}]
        return app.openapi_schema or {}

    app.openapi = describe


def _name_operation(route: APIRoute) -> str:
    return route.name
