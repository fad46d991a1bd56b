"""The log line of a call that changes something, or that went wrong."""

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.request_id import HEADER
from shared.jobs.job import JOB_ID_PATTERN

_CHANGES = ("PUT", "DELETE")

log = logging.getLogger(__name__)


class RequestLog:
    """Logs such a request by its route, and tells the client of each request under which id.

    A 503 is no fault and not logged here: too much is in progress, there is no model yet, or Redis
    does not answer, which `errors.py` logs.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        request_id: bytes = scope["request_id"]

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (HEADER, request_id)]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            _log(scope, status)


def _log(scope: Scope, status: int) -> None:
    level = logging.WARNING if status >= 500 and status != 503 else logging.INFO
    if level == logging.INFO and scope["method"] not in _CHANGES:
        return
    # The template, such as /jobs/{job_id}: a path is whatever the client likes.
    route = getattr(scope.get("route"), "path", "no route")
    job_id = str(scope.get("path_params", {}).get("job_id", ""))
    known = {"job_id": job_id} if JOB_ID_PATTERN.fullmatch(job_id) else {}
    log.log(level, "%s %s: %d", scope["method"], route, status, extra=known)
