"""Counts of a service in the text format of Prometheus."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper ends of the buckets of durations."""

BATCHES = (1, 2, 4, 8, 16, 32, 64)
"""Upper ends of the buckets of the model's batches."""


class Buckets:
    """A histogram as Prometheus counts one."""

    def __init__(self, ends: tuple[float, ...]) -> None:
        """Take the upper ends of the buckets, ascending."""
        self._ends = ends
        self._counts = [0] * (len(ends) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        place = next((i for i, end in enumerate(self._ends) if value <= end), len(self._ends))
        self._counts[place] += 1
        self._sum += value

    def lines(self, name: str, labels: str) -> Iterator[str]:
        """Give the lines of one series, whose labels end in a comma if there are any."""
        total = 0
        for end, count in zip((*self._ends, "+Inf"), self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{{labels}le="{end}"}} {total}'
        bare = f"{{{labels[:-1]}}}" if labels else ""
        yield f"{name}_sum{bare} {self._sum:.6f}"
        yield f"{name}_count{bare} {total}"


class ServiceMetrics:
    """What a service has done since it was started.

    Attributes:
        inside: Requests that are at work or wait.
    """

    def __init__(self) -> None:
        self.inside = 0
        self._lock = threading.Lock()
        self._answers: Counter[tuple[str, str, int]] = Counter()
        self._durations: dict[str, Buckets] = {}
        self._batches = Buckets(BATCHES)

    def count_answer(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer of a route, such as "/v1/entries/{entry}"."""
        with self._lock:
            self._answers[method, route, status] += 1
            self._durations.setdefault(route, Buckets(SECONDS)).add(seconds)

    def count_batch(self, images: int) -> None:
        """Count a batch of the model."""
        with self._lock:
            self._batches.add(images)

    def text(self, gauges: Mapping[str, float]) -> str:
        """Return everything, with what is true at this moment."""
        with self._lock:
            return "\n".join([*self._lines({"requests_inside": self.inside, **gauges}), ""])

    def _lines(self, gauges: Mapping[str, float]) -> Iterator[str]:
        yield "# TYPE promptreid_requests_total counter"
        for (method, route, status), count in sorted(self._answers.items()):
            yield (
                f'promptreid_requests_total{{method="{method}",route="{route}",'
                f'status="{status}"}} {count}'
            )
        yield "# TYPE promptreid_request_seconds histogram"
        for route, buckets in sorted(self._durations.items()):
            yield from buckets.lines("promptreid_request_seconds", f'route="{route}",')
        yield "# TYPE promptreid_model_batch_images histogram"
        yield from self._batches.lines("promptreid_model_batch_images", "")
        for name, value in gauges.items():
            yield f"# TYPE promptreid_{name} gauge"
            yield f"promptreid_{name} {value:g}"


class Counting:
    """Counts every answer, by the route that gave it."""

    def __init__(self, app: ASGIApp, metrics: ServiceMetrics) -> None:
        """Take where to count."""
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and count its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        status = 500

        async def send_counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        finally:
            # Addresses and methods that nobody answers are one series, or there could be any number
            # of them.
            route = getattr(scope.get("route"), "path", "other")
            taken = getattr(scope.get("route"), "methods", None) or ()
            method = scope["method"] if scope["method"] in taken else "any"
            self._metrics.count_answer(method, route, status, time.perf_counter() - begun)
