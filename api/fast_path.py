"""The short way to the handlers that predict."""

import time
from collections.abc import Iterable

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from api.measuring import MeasuringMiddleware, measured
from api.security_headers import NOSNIFF, SecurityHeaders


class FastPath:
    """Calls the handlers of some routes directly; everything else goes on to FastAPI.

    FastAPI's middleware, routing and dependencies take longer than a prediction of one row
    (docs/decisions.md has the figures). FastAPI knows the routes too, as they are or with a
    parameter, for OpenAPI and for what does not match exactly. The ones given here have no
    parameters in their path, and their handlers take the request and return a response.
    """

    def __init__(self, api: FastAPI, routes: Iterable[BaseRoute]) -> None:
        self._api = api
        self._measured_api = MeasuringMiddleware(SecurityHeaders(api))
        self._routes = {
            (method, route.path): route
            for route in routes
            if isinstance(route, APIRoute)
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = None
        if scope["type"] == "http":
            route = self._routes.get((scope["method"], scope["path"]))
        if route is None:
            await self._measured_api(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500
        try:
            request = Request(scope, receive)
            try:
                response = await route.endpoint(request)
            except Exception as error:
                response = await self._answer(request, error)
            status = response.status_code
            response.raw_headers.append(NOSNIFF)
            await response(scope, receive, send)
        finally:
            measured(scope["method"], route.path, status, started)

    async def _answer(self, request: Request, error: Exception) -> Response:
        """As FastAPI would: by the handler of the error's nearest class."""
        for kind in type(error).__mro__:
            handler = self._api.exception_handlers.get(kind)
            if handler is not None:
                answer = handler(request, error)
                return answer if isinstance(answer, Response) else await answer
        raise error
