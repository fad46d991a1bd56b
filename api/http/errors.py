"""The answers to errors that handlers raise; those of `/v2` have the form of its protocol."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

import redis
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api import limits
from api.http.paths import allowed_methods, route_path
from api.http.responses import refuse_encoded
from api.serving.refusals import shortened
from shared.errors import BodyEncoded, LifeboatError, ServesOnly
from shared.runtime.redis_outage import cause, public_cause

_HEADERS = {
    401: {"WWW-Authenticate": 'Bearer realm="lifeboat"'},
    # Which codings of a body are read.
    415: {"Accept-Encoding": "identity"},
    503: {"Retry-After": str(limits.RETRY_AFTER_SECONDS)},
}
"""What RFC 9110 wants beside a status."""

log = logging.getLogger(__name__)


def refusal(request: Request, error: LifeboatError) -> Response:
    """Return the answer to an error.

    A handler that computes in a thread returns it. An exception that leaves a thread is part of a
    reference cycle with the frames that it passed, which keeps the request's body until the next
    full collection.
    """
    return _answer(request, error.status_code, str(error))


async def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, LifeboatError)
    answer = refusal(request, error)
    if isinstance(error, ServesOnly):
        # It will never be otherwise.
        del answer.headers["Retry-After"]
    return answer


async def _answer_redis_error(request: Request, error: Exception) -> Response:
    route = getattr(request.scope.get("route"), "path", "no route")
    log.warning("%s %s: Redis did not answer: %s", request.method, route, cause(error))
    return _answer(
        request,
        503,
        f"{public_cause(error)}. So jobs and the choice of the model version are out of reach. "
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
        answer.headers["Allow"] = ", ".join(allowed_methods(request.app, request.scope))
    return answer


async def _answer_nobody(_: Request, error: Exception) -> Response:
    """Answer a client that left before its request was whole, with nginx's status for that."""
    return Response(status_code=499)


def _answer(request: Request, status: int, message: str) -> JSONResponse:
    name = "error" if f"{route_path(request.scope)}/".startswith("/v2/") else "detail"
    return JSONResponse({name: message}, status, _HEADERS.get(status))


HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    LifeboatError: _answer_error,
    redis.RedisError: _answer_redis_error,
    RequestValidationError: _answer_invalid_request,
    HTTPException: _answer_http_error,
    ClientDisconnect: _answer_nobody,
}
