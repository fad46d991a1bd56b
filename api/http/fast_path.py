"""The short way to the handlers that predict, and what every request passes first."""

import logging
import time
from collections.abc import Iterable

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute
from starlette.types import Message, Receive, Scope, Send

from api.http.intake import Intake
from api.http.measuring import MeasuringMiddleware, measured
from api.http.request_id import HEADER, note_request_id
from api.http.request_log import RequestLog
from api.http.security_headers import NOSNIFF, SecurityHeaders
from shared.errors import LifeboatError

_ALWAYS = ("/health/", "/v2/health/", "/metrics")
"""Answered under any load."""

log = logging.getLogger(__name__)


class FastPath:
    """Calls the handlers of some routes directly; everything else goes on to FastAPI.

    FastAPI's middleware, routing and dependencies take longer than a prediction of one row
    (docs/decisions.md has the figures). FastAPI knows the routes too, as they are or with a
    parameter, for OpenAPI and for what does not match exactly. The ones given here have no
    parameters in their path, and their handlers take the request and return a response.

    Every body is read here, within the limits of `intake`; handlers find it in `scope["body"]`.
    """

    def __init__(self, api: FastAPI, routes: Iterable[BaseRoute], intake: Intake) -> None:
        self._api = api
        self._measured_api = MeasuringMiddleware(RequestLog(SecurityHeaders(self._long_way)))
        self._intake = intake
        self._routes = {
            (method, route.path): route
            for route in routes
            if isinstance(route, APIRoute)
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = None
        if scope["type"] == "http":
            request_id = scope["request_id"] = note_request_id(scope["headers"])
            route = self._routes.get((scope["method"], scope["path"]))
        if route is None:
            await self._measured_api(scope, receive, send)
            return
        scope["route"] = route
        started = time.perf_counter()
        status = 500
        body = None
        try:
            request = Request(scope, receive)
            try:
                body = scope["body"] = await self._intake.read(receive)
                self._intake.admit(body)
                response = await route.endpoint(request)
            except Exception as error:
                response = await self._answer(request, error)
                if body is None:
                    _close_after(response)
            status = response.status_code
            response.raw_headers += (NOSNIFF, (HEADER, request_id))
            await response(scope, receive, send)
        finally:
            if body is not None:
                self._intake.release(body)
            measured(scope["method"], route.path, status, started)

    async def _long_way(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._api(scope, receive, send)
            return
        body = None
        unread = True

        async def receive_again() -> Message:
            nonlocal unread
            if unread:
                unread = False
                return {"type": "http.request", "body": body, "more_body": False}
            return await receive()

        try:
            try:
                body = scope["body"] = await self._intake.read(receive)
                if not scope["path"].startswith(_ALWAYS):
                    self._intake.admit(body)
            except (LifeboatError, ClientDisconnect) as error:
                response = await self._answer(Request(scope), error)
                if body is None:
                    _close_after(response)
                await response(scope, receive, send)
                return
            await self._api(scope, receive_again, send)
        finally:
            if body is not None:
                self._intake.release(body)

    async def _answer(self, request: Request, error: Exception) -> Response:
        """As FastAPI would: by the handler of the error's nearest class."""
        for kind in type(error).__mro__:
            handler = self._api.exception_handlers.get(kind)
            if handler is not None:
                answer = handler(request, error)
                return answer if isinstance(answer, Response) else await answer
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return PlainTextResponse("Internal Server Error", 500)


def _close_after(response: Response) -> None:
    """For a body that was not read to its end: what is left of it is no next request."""
    response.headers["Connection"] = "close"
