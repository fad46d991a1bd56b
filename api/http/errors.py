"""The answers to errors that handlers raise; those of `/v2` have the form of its protocol."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

import redis
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Route

from api import limits
from api.http.responses import refuse_encoded
from api.serving.refusals import shortened
from shared.errors import BodyEncoded, LifeboatError

log = logging.getLogger(__name__)


async def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, LifeboatError)
    return _answer(request, error.status_code, str(error))


async def _answer_redis_error(request: Request, error: Exception) -> Response:
    route = getattr(request.scope.get("route"), "path", "no route")
    log.warning("%s %s: Redis did not answer: %s", request.method, route, error)
    return _answer(
        request,
        503,
        "Redis does not answer, so jobs and the choice of the model version are out of reach. "
        "Predictions go on; try again in a moment",
    )


async def _answer_invalid_request(request: Request, error: Exception) -> Response:
    """Answer as FastAPI does, without the input: a NaN in it has no place in JSON."""
    assert isinstance(error, RequestValidationError)
    detail = [
        {"loc": shortened(found["loc"]), "msg": found["msg"], "type": found["type"]}
        for found in error.errors()[: limits.MAX_ERRORS]
    ]
    return _answer_encoded(request) or JSONResponse({"detail": detail}, 422)


def _answer_encoded(request: Request) -> Response | None:
    try:
        refuse_encoded(request)
    except BodyEncoded as error:
        return _answer(request, error.status_code, str(error))
    return None


async def _answer_http_error(request: Request, error: Exception) -> Response:
    """Answer an error of Starlette's, such as 404 for an unknown path."""
    assert isinstance(error, HTTPException)
    # FastAPI answers 400 to a body that is not text.
    encoded = _answer_encoded(request) if error.status_code == 400 else None
    answer = encoded or _answer(request, error.status_code, error.detail)
    answer.headers.update(error.headers or {})
    if error.status_code == 405:
        answer.headers["Allow"] = ", ".join(_allowed_methods(request))
    return answer


def _allowed_methods(request: Request) -> list[str]:
    """Return the methods of all routes of a path; Starlette names those of the first route."""
    path = request.url.path
    found = [
        route
        for route in request.app.routes
        if isinstance(route, Route | APIRoute) and route.matches(request.scope)[0] != Match.NONE
    ]
    exact = [route for route in found if route.path == path]
    return sorted({method for route in exact or found for method in route.methods or ()})


async def _answer_nobody(_: Request, error: Exception) -> Response:
    """Answer a client that left before its request was whole, with nginx's status for that."""
    return Response(status_code=499)


def _answer(request: Request, status: int, message: str) -> JSONResponse:
    name = "error" if request.url.path.startswith("/v2/") else "detail"
    headers = {"Retry-After": str(limits.RETRY_AFTER_SECONDS)} if status == 503 else None
    return JSONResponse({name: message}, status, headers)


HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    LifeboatError: _answer_error,
    redis.RedisError: _answer_redis_error,
    RequestValidationError: _answer_invalid_request,
    HTTPException: _answer_http_error,
    ClientDisconnect: _answer_nobody,
}
