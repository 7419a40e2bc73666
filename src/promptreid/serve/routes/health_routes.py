"""Whether the service is there, for those who watch it; nothing here says what it holds."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from promptreid.serve.bodies.service_bodies import StateBody
from promptreid.serve.problems import documented, problem_response
from promptreid.serve.service import Served
from promptreid.serve.service_metrics import MEDIA_TYPE

router = APIRouter(tags=["service"])


@router.head("/health", include_in_schema=False)  # which is what many watchers send
@router.get("/health", responses=documented())
async def get_health() -> StateBody:
    """Say that the process is alive."""
    return StateBody(status="ok")


@router.head("/ready", include_in_schema=False)
@router.get("/ready", response_model=StateBody, responses=documented())
def get_readiness(service: Served) -> Response:
    """Say whether requests are answered.

    503 while the service stops, and where the gallery has another model by now that the service
    does not find.
    """
    if service.is_stopping or not service.worker.is_alive:
        return problem_response(503, "The service is stopping; it takes no more requests.")
    service.follow_model()
    return JSONResponse({"status": "ok"})


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses=documented(),
)
def get_metrics(service: Served) -> Response:
    """Return counts and durations in the text format of Prometheus."""
    identities, entries = service.gallery.count()
    text = service.metrics.text(
        {
            "model_jobs_waiting": service.worker.waiting,
            "gallery_identities": identities,
            "gallery_entries": entries,
        }
    )
    return Response(text, media_type=MEDIA_TYPE)
