"""Counts and times every request, by route."""

import functools
import time

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.telemetry.metrics import REQUEST_SECONDS, REQUESTS


class MeasuringMiddleware:
    """Plain ASGI: Starlette's BaseHTTPMiddleware costs a task and a queue per request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            # The template, such as /jobs/{job_id}: a series per path would have no end.
            route = getattr(scope.get("route"), "path", "none")
            measured(scope["method"], route, status, started)


def measured(method: str, route: str, status: int, started: float) -> None:
    """Notes a request that has been answered; `started` is a `time.perf_counter()`."""
    requests, seconds = _series(method, route, status)
    requests.inc()
    seconds.observe(time.perf_counter() - started)


@functools.cache
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Looked up once: finding a series by its labels costs more than counting in it."""
    return REQUESTS.labels(method, route, status), REQUEST_SECONDS.labels(route)
